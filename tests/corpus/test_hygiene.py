"""What is odd about a text is counted, shown, and kept, repaired or refused."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.corpus.build import build
from reprolm.corpus.config import DataConfig, HygieneConfig
from reprolm.corpus.hygiene import CHECKS, PIECE_BYTES, Hygiene
from reprolm.corpus.read import open_corpus
from reprolm.errors import Exit, ReprolmError
from tests.corpus.test_build import STORIES, config, written
from tests.settings import raw

ODD: dict[str, tuple[bytes, bytes, int]] = {
    "invalid_utf8": (b"caf\xe9 and \xff\xfe", "caf\ufffd and \ufffd\ufffd".encode(), 3),
    "byte_order_mark": ("\ufeffOnce \ufeff".encode(), b"Once ", 2),
    "nul": (b"a\0b\0\0", b"ab", 3),
    "control_characters": ("a\x07b\x1b\x85c\td".encode(), b"abc\td", 3),
    "line_ends": (b"a\r\nb\rc\n", b"a\nb\nc\n", 2),
    "unnormalised": ("cafe\u0301".encode(), "café".encode(), 1),
    "mojibake": ("l’élève".encode().decode("cp1252").encode(), "l’élève".encode(), 3),
}


def hygiene(**actions: str) -> Hygiene:
    values = raw("data")["hygiene"] | {"invalid_utf8": "keep"} | actions
    return Hygiene(HygieneConfig.model_validate(values), "texts")


def cleaned(looks: Hygiene, document: bytes) -> bytes:
    return b"".join(bytes(piece) for piece in looks.clean(document))


@pytest.mark.parametrize("name", CHECKS)
def test_each_finding_is_kept_repaired_or_refused(name: str) -> None:
    odd, right, count = ODD[name]
    keeps, repairs = hygiene(), hygiene(**{name: "repair"})
    assert cleaned(keeps, odd) == odd
    assert cleaned(repairs, odd) == right
    for looks in (keeps, repairs):
        assert looks.findings[name].count == count
        assert looks.findings[name].documents == 1
        assert len(looks.findings[name].examples) == 1
    assert (keeps.repaired_documents, repairs.repaired_documents) == (0, 1)
    refuses = hygiene(**{name: "refuse"})
    cleaned(refuses, odd + odd)
    (problem,) = refuses.refused
    assert str(problem).startswith(f"texts, document 0: holds {name.replace('_', ' ')} at")


@pytest.mark.parametrize("name", CHECKS)
def test_what_was_repaired_is_found_no_more(name: str) -> None:
    right = cleaned(hygiene(**{name: "repair"}), ODD[name][0])
    again = hygiene()
    cleaned(again, right)
    assert again.findings[name].count == 0


def test_a_line_that_was_decoded_wrongly_is_repaired_whatever_stands_on_others() -> None:
    odd = "中文 → x\n" + "Привет, мир!".encode().decode("cp1251") + "\nça va\n"
    looks = hygiene(mojibake="repair")
    assert cleaned(looks, odd.encode()).decode() == "中文 → x\nПривет, мир!\nça va\n"
    assert looks.repaired_documents == 1


def test_what_no_repair_could_change_is_not_counted_as_repaired() -> None:
    looks = hygiene(mojibake="repair")
    hopeless = "Ã× ñ€œ ÂÃ".encode()
    assert cleaned(looks, hopeless) == hopeless
    assert looks.findings["mojibake"].count
    assert looks.repaired_documents == 0


def test_controls_that_a_wrong_decoding_made_are_letters_again() -> None:
    odd = "l’élève".encode().decode("latin-1").encode()
    looks = hygiene(mojibake="repair", control_characters="repair")
    assert cleaned(looks, odd).decode() == "l’élève"


@given(st.binary(max_size=200))
def test_kept_bytes_are_the_same_bytes(document: bytes) -> None:
    assert cleaned(hygiene(), document) == document


@given(st.text())
def test_clean_text_is_left_alone_by_every_repair(text: str) -> None:
    plain = "".join(character for character in text if character.isascii() and character.isprintable())
    assert cleaned(hygiene(**dict.fromkeys(CHECKS, "repair")), plain.encode()) == plain.encode()


@pytest.mark.parametrize("unit", ["é", "a\r\n", "e\u0301", "слово ", "x"])
def test_a_long_document_is_the_same_in_pieces(unit: str) -> None:
    document = (unit * (2 * PIECE_BYTES // len(unit.encode()) + 1)).encode()
    looks = hygiene(line_ends="repair", unnormalised="repair")
    expected = document.replace(b"\r\n", b"\n").replace("e\u0301".encode(), "é".encode())
    assert cleaned(looks, document) == expected


def test_the_corpus_tells_what_was_found_with_examples(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", [*STORIES, "one\0two", "мир\r\n" * 3])
    metrics = build(
        config(source="files", files={"path": str(folder)}, hygiene={"nul": "repair"}),
        tmp_path / "c",
        tmp_path,
    )
    report = json.loads((tmp_path / "c" / "hygiene.json").read_text())
    assert metrics["repaired_documents"] == 1
    assert report["findings"]["nul"]["count"] == 1
    assert report["findings"]["nul"]["examples"][0]["document"] == 60
    assert report["findings"]["line_ends"]["documents"] == len(STORIES) + 1
    texts = b"".join(bytes(split.content()) for split in open_corpus(tmp_path / "c").values())
    assert b"onetwo" in texts
    assert b"\0" not in texts


def test_a_text_cut_by_position_tells_what_of_its_end_stands_at_its_beginning(tmp_path: Path) -> None:
    text = " ".join(str(random.Random(i).random()) for i in range(2000))
    folder = written(tmp_path / "t", [text + text[: len(text) // 9]])
    split = {"by": "position", "train": 0.8, "validation": 0.1, "test": 0.1}
    options = config(source="files", files={"path": str(folder)}, split=split)
    assert build(options, tmp_path / "c", tmp_path)["near_duplicate_documents"] == 1
    report = json.loads((tmp_path / "c" / "hygiene.json").read_text())["near_duplicates"]
    assert report["share_in_train"]["validation"] == 0
    assert report["share_in_train"]["test"] > 0.95


def test_half_a_character_in_json_is_what_data_hygiene_says_of_wrong_utf8(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "a\\ud800b' + ", and more" * 50 + '"}\n')

    def built(action: str) -> bytes:
        options = config(
            source="files", files={"path": str(tmp_path / "t.jsonl")}, hygiene={"invalid_utf8": action}
        )
        build(options, tmp_path / action, tmp_path)
        return b"".join(bytes(split.content()) for split in open_corpus(tmp_path / action).values())

    assert built("repair").startswith("a\ufffd\ufffd\ufffdb, and more".encode())
    with pytest.raises(ReprolmError, match="holds invalid utf8"):
        built("refuse")


def refusals(tmp_path: Path, options: DataConfig) -> list[str]:
    with pytest.raises(ReprolmError) as caught:
        build(options, tmp_path / "refused", tmp_path)
    assert caught.value.exit is Exit.DATA
    assert not (tmp_path / "refused").exists()
    return [str(problem) for problem in caught.value.problems]


REFUSE = dict.fromkeys(("nul", "line_ends", "control_characters", "duplicates"), "refuse")


@pytest.mark.parametrize("source", ["files", "mixture"])
def test_all_that_is_refused_is_told_at_once_with_the_file_where_it_first_stands(
    tmp_path: Path, source: str
) -> None:
    plain = [f"Story {i} of a cat." for i in range(30)]
    folder = written(tmp_path / "t", [*plain, "one\0two\0", "a\rb\0", "a\x07b", plain[3]])
    weights = {"docstrings": 0.0, "files": 1.0, "url": 0.0, "huggingface": 0.0}
    told = refusals(
        tmp_path,
        config(source=source, mixture=weights, files={"path": str(folder)}, hygiene=REFUSE),
    )
    assert [line.split(" (")[0] for line in told] == [
        f"{folder}/030.txt, document 30: holds nul at offset 3, the first of 3 in 2 documents",
        f"{folder}/032.txt, document 32: holds control characters at offset 1",
        f"{folder}/031.txt, document 31: holds line ends at offset 1",
        "data: holds documents twice",
    ]
    assert "got 1, first 'Story 3 of a cat.'" in told[-1]


def test_what_was_found_before_a_file_that_cannot_be_read_is_told_with_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", ["one\0two", "fine"])
    (folder / "002.txt").write_bytes(b"caf\xe9")
    told = refusals(tmp_path, config(source="files", files={"path": str(folder)}, hygiene=REFUSE))
    assert ["holds nul" in told[0], "002.txt: is not UTF-8" in told[1]] == [True, True]


def test_near_copies_are_told_with_the_rest(tmp_path: Path) -> None:
    chance = random.Random(1)
    fresh = [" ".join(str(chance.random()) for _ in range(60)) for _ in range(100)]
    folder = written(
        tmp_path / "t", [*fresh, *(f"Start {i}: " + text[30:] for i, text in enumerate(fresh)), "\0"]
    )
    hygiene = {"near_duplicates": "refuse", "nul": "refuse"}
    told = refusals(tmp_path, config(source="files", files={"path": str(folder)}, hygiene=hygiene))
    assert ["holds nul" in told[0], "half stands in another split" in told[1]] == [True, True]


def test_copies_are_left_out_or_refused_where_that_is_wanted(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", STORIES + STORIES[:5])

    def built(action: str) -> int:
        options = config(source="files", files={"path": str(folder)}, hygiene={"duplicates": action})
        metrics = build(options, tmp_path / action, tmp_path)
        assert metrics["duplicate_documents"] == 5
        assert metrics["documents"] == sum(len(split) for split in open_corpus(tmp_path / action).values())
        return int(metrics["documents"])

    assert (built("keep"), built("repair")) == (65, 60)
    with pytest.raises(ReprolmError, match=r"data: holds documents twice \(got 5"):
        built("refuse")


def test_a_held_out_document_that_mostly_stands_in_train_is_found_and_can_be_left_out(tmp_path: Path) -> None:
    chance = random.Random(1)
    fresh = [" ".join(str(chance.random()) for _ in range(60)) for _ in range(200)]
    copies = [f"Another start {i}: " + text[30:] for i, text in enumerate(fresh[:100])]
    folder = written(tmp_path / "t", fresh + copies)

    def built(action: str) -> tuple[int, list[bytes], list[bytes]]:
        split = {"by": "document", "train": 0.6, "validation": 0.2, "test": 0.2}
        hygiene = {"near_duplicates": action}
        options = config(source="files", files={"path": str(folder)}, split=split, hygiene=hygiene)
        metrics = build(options, tmp_path / action, tmp_path)
        splits = open_corpus(tmp_path / action)
        held = [d for name in ("validation", "test") for d in splits[name].documents()]
        assert metrics["documents"] == len(splits["train"]) + len(held)
        return metrics["near_duplicate_documents"], list(splits["train"].documents()), held

    found, train, held = built("keep")
    tails = {document[-200:] for document in train}
    expected = sum(document[-200:] in tails for document in held)
    assert found == expected > 10
    _, _, left = built("repair")
    assert len(left) == len(held) - expected
    assert not [document for document in left if document[-200:] in tails]
    with pytest.raises(ReprolmError, match="half stands in another split"):
        built("refuse")


@pytest.mark.parametrize("name", ["unnormalised", "mojibake"])
def test_an_example_shows_the_line_that_is_odd(name: str) -> None:
    before, odd = "plain é text\n".encode() * 40, ODD[name][0]
    looks = hygiene()
    list(looks.clean(before + odd))
    (example,) = looks.findings[name].examples
    assert example["offset"] == len(before)
    assert odd.decode() in example["text"]
