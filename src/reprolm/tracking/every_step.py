"""Numbers of every single step, as MLflow keeps them: in parquet, for its curves have 2,000 points at most.

They are written as text, which git and a reader can compare; a long training has more of it than anybody
wants to load.
"""

from collections.abc import Sequence
from pathlib import Path

NAMES = {"steps.csv": "steps.parquet", "speed.csv": "speed.parquet"}
"""The files with a row for each step, and what they are called in MLflow."""
PIECE_BYTES = 1 << 18


def shown_as(path: Path) -> Path:
    """The path in MLflow of a file of the record."""
    return path.with_name(NAMES.get(path.name, path.name))


def write_parquet(text: Path, out: Path) -> bool:
    """The same table in another form, piece by piece: `step` as a whole number, all else to the last bit.

    False where the text is no such table: one that was damaged is no reason to keep back the rest of a run.
    """
    import pyarrow as arrow
    from pyarrow import csv, parquet

    with text.open(encoding="utf-8") as file:
        names = file.readline().strip().split(",")
    schema = arrow.schema([(name, arrow.int64() if name == "step" else arrow.float64()) for name in names])
    # a loss that is not a number is none that is missing
    options = csv.ConvertOptions(column_types=schema, null_values=[""])
    # no reading ahead: the sender is to stay small
    pieces = csv.ReadOptions(use_threads=False, block_size=PIECE_BYTES)
    try:
        with (
            csv.open_csv(text, read_options=pieces, convert_options=options) as rows,
            parquet.ParquetWriter(out, schema, compression="zstd") as table,
        ):
            for batch in rows:
                table.write_batch(batch)
    except arrow.ArrowInvalid:
        return False
    finally:
        arrow.default_memory_pool().release_unused()
    return True


def read_parquet(path: Path, columns: Sequence[str]) -> list[tuple[float, ...]]:
    """Some columns of such a table, a row a step."""
    from pyarrow import parquet

    table = parquet.read_table(path, columns=list(columns))
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))
