"""The page: the same bytes again, nothing loaded, nothing unescaped, whatever is missing."""

import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprolm.errors import Exit, ReprolmError
from reprolm.report import page
from reprolm.report.inputs import Inputs
from reprolm.store import publish_directory, publish_file, publish_json
from tests.report.conftest import METRICS, SAMPLES, curves

LOADING = {"src", "srcset", "data", "poster", "action", "background", "xlink:href"}
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Reader(html.parser.HTMLParser):
    """Collects what a browser would see, and insists that elements close in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def text(params: dict[str, Any], root: Path) -> str:
    return page.render(params, root)


def test_the_page_says_what_matters_first(text: str) -> None:
    headline = "0.83 M parameters, 1.79 bits per byte on the validation split; the bigram line is 2.05."
    assert f"<h1>{headline}</h1>" in text
    assert text.index(headline) < text.index("13.2 MB, 3,142 documents") < text.index("22.75")


def test_a_short_run_over_an_own_text_is_told_in_whole_sentences(params: dict[str, Any], root: Path) -> None:
    own = params | {"data.source": "files", "data.files.path": "texts/poem.txt"}
    publish_json(root / "metrics/download.json", METRICS["download"] | {"documents": 1})
    publish_file(root / "plots/train.csv", curves(4))
    text = page.render(own, root)
    assert "text: texts/poem.txt (13.2 MB, 1 document)" in text
    assert "Dark: the training loss; in colour: validation." in text


def test_write_publishes_the_same_bytes_again_and_elsewhere(
    params: dict[str, Any], root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(root, elsewhere)
    page.write(params, root, root / "reports/index.html")
    page.write(params, elsewhere, elsewhere / "reports/index.html")
    first = (root / "reports/index.html").read_bytes()
    assert first == (elsewhere / "reports/index.html").read_bytes()
    assert str(root).encode() not in first
    assert len(first) < 1_000_000


def test_the_bytes_do_not_depend_on_hash_seed_or_the_users_matplotlib_style(
    params: dict[str, Any], root: Path, tmp_path: Path
) -> None:
    publish_file(tmp_path / "style/matplotlibrc", "font.size: 30\nsvg.fonttype: path\n")
    publish_file(tmp_path / "params.json", json.dumps(params))
    program = (
        "import json, sys; from pathlib import Path; from reprolm.report import page;"
        "page.write(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), Path(sys.argv[3]))"
    )
    pages = []
    for seed, extra in (("1", {}), ("2", {"MATPLOTLIBRC": str(tmp_path / "style/matplotlibrc")})):
        out = tmp_path / f"page{seed}.html"
        arguments = [sys.executable, "-c", program, str(tmp_path / "params.json"), str(root), str(out)]
        search = os.pathsep.join(filter(None, sys.path))
        subprocess.run(
            arguments, check=True, env=os.environ | extra | {"PYTHONHASHSEED": seed, "PYTHONPATH": search}
        )
        pages.append(out.read_bytes())
    assert pages[0] == pages[1]


def test_elements_close_in_order_and_ids_are_unique(text: str) -> None:
    reader = Reader(text)
    assert reader.open == []
    assert reader.ids
    assert len(reader.ids) == len(set(reader.ids))


def test_references_inside_the_page_have_targets(text: str) -> None:
    reader = Reader(text)
    used = set(re.findall(r"url\(#([^)]+)\)", text))
    used |= {attrs["href"] or "" for tag, attrs in reader.tags if tag == "use"}
    assert used
    assert {name.removeprefix("#") for name in used} <= set(reader.ids)


def test_nothing_is_loaded_and_nothing_runs(text: str) -> None:
    reader = Reader(text)
    for tag, attributes in reader.tags:
        assert tag not in {"script", "iframe", "object", "embed", "img", "base", "form"}
        assert not LOADING & set(attributes), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith(("#", "data:,")), (tag, attributes)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    assert "default-src 'none'" in text


def test_markup_in_prompts_texts_and_parameters_is_shown_not_obeyed(text: str) -> None:
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;/div&gt;&lt;/body&gt;&lt;img src=https://evil.test/x.png&gt;" in text


def test_whitespace_of_samples_is_kept(text: str) -> None:
    continuation = SAMPLES[0]["text"]
    assert isinstance(continuation, str)
    assert f'<b class="prompt">Parameters\n----------\n</b>{continuation}</div>' in text


def test_control_characters_are_pictures_and_lone_surrogates_replaced(text: str) -> None:
    assert "␀␛[31m␡" in text
    assert "�" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)


@given(st.text(st.characters()))
def test_any_text_becomes_encodable_and_printable_text_is_not_touched(value: str) -> None:
    shown = page.visible(value)
    assert len(shown) == len(value)
    shown.encode()
    assert page.visible(shown) == shown
    if value.isprintable():
        assert shown == value


@pytest.mark.parametrize("word", ["nan", "NaN", "inf"])
def test_numbers_that_are_not_finite_leave_gaps(params: dict[str, Any], root: Path, word: str) -> None:
    lines = curves(60).splitlines()
    lines[30] = f"29,{29 * 8192},{word},{word},0.001,{word}"
    publish_file(root / "plots/train.csv", "\n".join(lines))
    text = page.render(params, root)
    assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE)
    assert 'aria-label="Training and validation loss' in text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("metrics/download.json", "metrics/download.json"),
        ("metrics/train_tokenizer.json", "metrics/train_tokenizer.json"),
        ("metrics/encode.json", "metrics/encode.json"),
        ("metrics/train.json", "metrics/train.json"),
        ("metrics/evaluate.json", "metrics/evaluate.json"),
        ("plots/train.csv", "plots/train.csv"),
        ("reports/evaluate", "reports/evaluate/by_position.csv"),
        ("reports/samples", "reports/samples/samples.json"),
    ],
)
def test_what_is_missing_is_named(params: dict[str, Any], root: Path, path: str, said: str) -> None:
    assert "Not there yet" not in page.render(params, root)
    gone = root / path
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    assert f"Not there yet: <code>{said}</code>" in page.render(params, root)


def test_an_empty_folder_and_no_parameters_give_a_page(tmp_path: Path) -> None:
    text = page.render({}, tmp_path)
    assert "<h1>No model has been trained yet.</h1>" in text
    assert text.count("Not there yet:") == 8
    assert text.count('<li class="missing">') == 6
    assert Reader(text).open == []


@pytest.mark.parametrize(
    ("metrics", "headline"),
    [
        ({}, "No model has been trained yet."),
        (
            {"train": {"parameters": {"total": 12_345}, "tokens": 5_000_000}},
            "12,345 parameters, trained on 5.00 M tokens.",
        ),
        ({"evaluate": {"split": "test", "bits_per_byte": 1.5}}, "1.50 bits per byte on the test split."),
        ({"train": {"parameters": {"total": 3}}}, "3 parameters."),
        ({"train": {"parameters": "many", "tokens": True}}, "No model has been trained yet."),
    ],
)
def test_the_headline_says_what_is_known(metrics: dict[str, dict[str, Any]], headline: str) -> None:
    assert page.headline(Inputs(metrics, {}, {}, {}, [], [], {})) == headline


def test_numbers_that_the_page_does_not_know_are_shown_all_the_same(
    params: dict[str, Any], root: Path
) -> None:
    extra = {"expert_load": {"first": 0.25, "second": 0.75}, "repaired_characters": 1_234_567}
    publish_json(root / "metrics/train.json", METRICS["train"] | extra)
    shown = " ".join(Reader(page.render(params, root)).text)
    for expected in ("expert load", "0.2500", "0.7500", "repaired characters", "1,234,567"):
        assert expected in shown


def test_bars_are_sorted_and_the_longest_is_whole() -> None:
    found = page.bars(Inputs({"evaluate": METRICS["evaluate"]}, {}, {}, {}, [], [], {}))
    assert [bar.name for bar in found] == ["uniform", "unigram", "bigram", "gzip", "this model", "xz"]
    assert found[0].percent == "100.00"
    assert [bar.name for bar in found if bar.ours] == ["this model"]
    assert found[4].value == "1.790"


def test_long_and_many_samples_are_cut_and_it_is_said(params: dict[str, Any], root: Path) -> None:
    samples = [{"prompt": "p", "text": "x" * 10_000, "draw": draw} for draw in range(200)]
    with publish_directory(root / "reports/samples") as directory:
        publish_json(directory / "samples.json", samples)
    text = page.render(params, root)
    assert "… (6,000 more characters)" in text
    assert "176 more in <code>reports/samples/samples.json</code>" in text
    assert len(text.encode()) < 1_000_000


def test_settings_that_all_samples_share_are_said_once(params: dict[str, Any], root: Path) -> None:
    text = page.render(params, root)
    assert text.count("top k 50") == 1
    samples = [{"prompt": "", "text": "x", "draw": 0, "temperature": heat} for heat in (0.5, 1.0)]
    with publish_directory(root / "reports/samples") as directory:
        publish_json(directory / "samples.json", samples)
    text = page.render(params, root)
    assert "draw 0, temperature 0.5" in text
    assert "draw 0, temperature 1.0" in text


def test_altered_samples_are_refused(params: dict[str, Any], root: Path) -> None:
    (root / "reports/samples/samples.json").write_text("[]")
    with pytest.raises(ReprolmError) as refused:
        page.render(params, root)
    assert refused.value.exit == Exit.INTEGRITY


@settings(max_examples=5)
@given(st.dictionaries(st.text(max_size=8), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5), max_size=4))  # fmt: skip
def test_any_metrics_and_parameters_give_a_well_formed_page(
    tmp_path_factory: pytest.TempPathFactory, anything: dict[str, Any]
) -> None:
    root = tmp_path_factory.mktemp("any")
    for stage in ("download", "train", "evaluate"):
        publish_file(root / f"metrics/{stage}.json", json.dumps(anything | {"references": anything}))
    text = page.render(anything, root)
    text.encode()
    assert Reader(text).open == []
