import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.data.encode import ShardWriter
from reprolm.data.shards import ACCOUNT, HEADER_BYTES, MAGIC, Tokens, Vocabulary, dtype_for
from reprolm.errors import Exit, ReprolmError
from tests.data.settings import tokens_of


@pytest.mark.parametrize(("vocab_size", "bits"), [(1, 16), (65_535, 16), (65_536, 16), (65_537, 32)])
def test_the_largest_id_comes_back_in_the_narrowest_type(tmp_path: Path, vocab_size: int, bits: int) -> None:
    ids = [0, vocab_size - 1, vocab_size // 2]
    assert tokens_of(tmp_path, ids, vocab_size)[0:3].tolist() == ids
    assert dtype_for(vocab_size).itemsize * 8 == bits
    assert (tmp_path / "train-00000.bin").stat().st_size == HEADER_BYTES + 3 * bits // 8


@pytest.mark.parametrize("vocab_size", [65_535, 65_536, 65_537])
def test_an_id_outside_of_the_vocabulary_does_not_wrap(tmp_path: Path, vocab_size: int) -> None:
    with ShardWriter(tmp_path, "train", Vocabulary(vocab_size, None, ""), 9) as writer:
        with pytest.raises(AssertionError):
            writer.add(np.array([vocab_size], dtype=np.uint32))
        assert writer.shards == [0]


@given(st.lists(st.integers(0, 99), min_size=1, max_size=60), st.integers(1, 70), st.data())
def test_slices_and_windows_are_those_of_a_list_whatever_the_shards(
    ids: list[int], shard_tokens: int, data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        tokens = tokens_of(Path(folder), ids, 100, shard_tokens)
        assert len(tokens) == len(ids)
        assert len(list(Path(folder).glob("*.bin"))) == -(-len(ids) // shard_tokens)
        start = data.draw(st.integers(0, len(ids)))
        stop = data.draw(st.integers(0, len(ids)))
        assert tokens[start:stop].tolist() == ids[start:stop]
        assert tokens[:].dtype == np.int64
        length = data.draw(st.integers(1, len(ids)))
        starts = data.draw(st.lists(st.integers(0, len(ids) - length), min_size=1))
        windows = tokens.windows(np.array(starts), length)
        assert windows.tolist() == [ids[s : s + length] for s in starts]


def test_a_shard_can_be_read_by_whoever_knows_the_format(tmp_path: Path) -> None:
    tokens_of(tmp_path, [3, 1, 4, 1, 5], 10)
    content = (tmp_path / "train-00000.bin").read_bytes()
    assert content.startswith(MAGIC)
    assert json.loads(content[len(MAGIC) : HEADER_BYTES]) == {
        "dtype": "<u2", "end_of_document": None, "tokenizer_digest": "a" * 64, "tokens": 5, "vocab_size": 10,
    }  # fmt: skip
    assert np.frombuffer(content, "<u2", offset=HEADER_BYTES).tolist() == [3, 1, 4, 1, 5]


def refusal(directory: Path, split: str = "train") -> ReprolmError:
    with pytest.raises(ReprolmError) as error:
        Tokens(directory, split)
    return error.value


def test_a_shard_of_another_tokenizer_is_refused(tmp_path: Path) -> None:
    tokens_of(tmp_path, [1] * 20, 10)
    path = tmp_path / ACCOUNT
    path.write_text(path.read_text().replace("a" * 64, "b" * 64))
    error = refusal(tmp_path)
    assert error.exit is Exit.INTEGRITY
    assert "train-00000.bin" in str(error)


@pytest.mark.parametrize("key", ["vocab_size", "end_of_document"])
def test_a_shard_of_another_vocabulary_is_refused(tmp_path: Path, key: str) -> None:
    tokens_of(tmp_path, [1] * 20, 10)
    path = tmp_path / ACCOUNT
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: 11}))
    assert refusal(tmp_path).exit is Exit.INTEGRITY


def test_a_truncated_or_longer_shard_is_refused(tmp_path: Path) -> None:
    tokens_of(tmp_path, [1] * 20, 10)
    path = tmp_path / "train-00001.bin"
    content = path.read_bytes()
    for damaged in (content[:-1], content + b"\0", content[:HEADER_BYTES], content[:5], b""):
        path.write_bytes(damaged)
        assert refusal(tmp_path).exit is Exit.INTEGRITY
    path.unlink()
    assert refusal(tmp_path).exit is Exit.MISSING


def test_document_offsets_that_do_not_fit_the_tokens_are_refused(tmp_path: Path) -> None:
    tokens_of(tmp_path, [1] * 20, 10, ends=(5, 15))
    path = tmp_path / "train.documents"
    content = path.read_bytes()
    assert np.frombuffer(content, "<u8").tolist() == [0, 5, 15, 20]
    for damaged in (content[:-8], content[:-1], content + content[:8], b"", content[:-8] + content[:8]):
        path.write_bytes(damaged)
        error = refusal(tmp_path)
        assert error.exit is Exit.INTEGRITY
        assert "train.documents" in str(error)
    path.unlink()
    assert refusal(tmp_path).exit is Exit.MISSING


def test_another_split_is_not_there(tmp_path: Path) -> None:
    tokens_of(tmp_path, [1], 10)
    assert refusal(tmp_path, "test").exit is Exit.MISSING


@pytest.mark.parametrize("count", [1, 15, 16])
def test_less_than_a_window_names_what_was_found_and_what_is_needed(tmp_path: Path, count: int) -> None:
    tokens = tokens_of(tmp_path, [1] * count, 10)
    with pytest.raises(ReprolmError, match=r"^model\.context_length: the train split") as error:
        tokens.require(16)
    assert error.value.exit is Exit.DATA
    assert f"got {count} tokens" in str(error.value)
    assert "17 tokens" in str(error.value)
    tokens.require(count - 1)
