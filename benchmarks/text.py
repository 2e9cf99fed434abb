"""Memory and time of `download` and `encode` as the text grows, and for text of awkward shapes.

Each measurement is a process of its own: peak memory is that of the kernel, workers of `encode` added. The
text is Python source of the installed packages, repeated where there is less than asked for.

    python benchmarks/text.py [--megabytes 10 100] [--kind huggingface] [--download]
"""

import argparse
import contextlib
import itertools
import json
import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

# a benchmark beside this one has the name of the library `tokenizers`, and must not stand for it
sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)

ROOT = Path(__file__).parents[1]
MB = 1_000_000
SHARES = {"train": 0.9, "validation": 0.05, "test": 0.05}
SEPARATOR, DOCUMENT_BYTES, DOCUMENTS = "<|endoftext|>", 1000, "documents.txt"


def source() -> Iterator[bytes]:
    """Python files of the environment, over and over."""
    files = sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py"))
    for file in itertools.cycle(files):
        content = file.read_bytes()
        if content.isascii():
            yield content


def write(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for content in source():
            file.write(content[: size - file.tell()])
            if file.tell() == size:
                return


def write_documents(path: Path, text: Path) -> None:
    """The same text in documents, each with a number, so that none repeats another."""
    with text.open("rb") as file, path.open("wb") as out:
        for number in itertools.count():
            content = file.read(DOCUMENT_BYTES)
            if not content:
                return
            out.write(b"%d " % number + content + SEPARATOR.encode())


def shapes(folder: Path, size: int) -> Iterator[tuple[str, Path]]:
    """Text without line breaks, of empty lines, of one word."""
    line, lines, word = (folder / f"{name}.txt" for name in ("line", "lines", "word"))
    write(line, size)
    line.write_bytes(line.read_bytes().replace(b"\n", b" "))
    yield f"one line of {size // MB} MB", line
    lines.write_bytes(b"\n" * (size // 10) + b"the end\n")
    yield f"{size // 10:,} empty lines", lines
    word.write_bytes(b"ab" * (size // 20))
    yield f"one word of {size // 10 // MB} MB", word


def stage(name: str, folder: Path, text: Path, kind: str, *, vocab_size: int = 300) -> None:
    """What the measured process does."""
    from reprolm.config import read_params, section
    from reprolm.corpus.build import build
    from reprolm.corpus.config import DataConfig
    from reprolm.data.config import EncodeConfig
    from reprolm.data.encode import encode
    from reprolm.tokenizers.config import TokenizerConfig
    from reprolm.tokenizers.train import train

    params = read_params(ROOT / "params.yaml")
    if name == "download":
        many = text.name == DOCUMENTS
        split = SHARES | {"by": "document" if many else "position"}
        data = params["data"] | {"source": "files", "split": split}
        data["files"] = data["files"] | {"path": str(text), "separator": SEPARATOR if many else ""}
        build(section({"data": data}, "data", DataConfig), folder / "corpus", folder)
    elif name == "tokenizer":
        options = params["tokenizer"] | {"kind": kind, "vocab_size": vocab_size}
        options["character"] = {"unknown": True}
        train(
            section({"tokenizer": options}, "tokenizer", TokenizerConfig), folder / "corpus", folder / "tok"
        )
    else:
        config = section(params, "encode", EncodeConfig)
        encode(config, folder / "corpus", folder / "tok", folder / "tokens")


def spent() -> dict[str, float]:
    """CPU seconds and peak memory of this process and of the workers that it had."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    return {"cpu": cpu, "peak_mb": (high(os.getpid()) + max(WORKERS)) / 1000}


WORKERS = [0]
"""What the workers that there were at a time had taken at the most, in kB."""


def high(process: int) -> int:
    """The peak memory of a process in kB: not `ru_maxrss`, which it inherits of the one that started it."""
    return int(Path(f"/proc/{process}/status").read_text().split("VmHWM:")[1].split()[0])


def watch_workers() -> None:
    """Looks at the workers ten times a second from now on: `spent` counts them then."""
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while True:
        taken = 0
        for path in Path("/proc/self/task").glob("*/children"):
            for worker in map(int, path.read_text().split()):
                with contextlib.suppress(OSError, IndexError):
                    taken += high(worker)
        WORKERS.append(taken)
        time.sleep(0.1)


ALL = ("download", "encode")


def measured(name: str, folder: Path, text: Path, kind: str) -> dict[str, float]:
    command = [
        sys.executable,
        __file__,
        "--stage",
        name,
        "--folder",
        str(folder),
        "--text",
        str(text),
        "--kind",
        kind,
    ]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1]) | {"seconds": seconds}


def row(title: str, text: Path, kind: str, places: Path, parts: Sequence[str] = ALL) -> None:
    """One line of the table; the vocabulary is that of ordinary text."""
    with tempfile.TemporaryDirectory(dir=places) as name:
        folder = Path(name)
        if "encode" in parts:
            for part in ("download", "tokenizer"):
                measured(part, folder, places / "text.txt", kind)
        found = [measured(part, folder, text, kind) for part in parts]
    cells = [title]
    for took in found:
        cells += [f"{took['seconds']:.1f}", f"{took['cpu']:.1f}", f"{took['peak_mb']:.0f}"]
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 20, 100])
    parser.add_argument("--kind", default="huggingface")
    parser.add_argument("--download", action="store_true", help="leave encode out")
    for hidden in ("--stage", "--folder", "--text"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        watch_workers()
        stage(options.stage, Path(options.folder), Path(options.text), options.kind)
        print(json.dumps(spent()))
        return
    print(f"tokenizer.kind {options.kind}, {os.cpu_count()} cores\n")
    parts = ALL[:1] if options.download else ALL
    names = ["text", *(f"{part} s | CPU s | peak MB" for part in parts)]
    print(f"| {' | '.join(names)} |\n{'|---' * (1 + 3 * (len(names) - 1))}|")
    with tempfile.TemporaryDirectory() as name:
        places = Path(name)
        for megabytes in options.megabytes:
            write(places / "text.txt", megabytes * MB)
            row(f"{megabytes} MB", places / "text.txt", options.kind, places, parts)
            write_documents(places / DOCUMENTS, places / "text.txt")
            row(f"{megabytes} MB in documents", places / DOCUMENTS, options.kind, places, parts)
        write(places / "text.txt", min(options.megabytes) * MB)
        for times in (10, 20):
            for title, text in shapes(places, times * min(options.megabytes) * MB):
                row(title, text, options.kind, places, parts)


if __name__ == "__main__":
    main()
