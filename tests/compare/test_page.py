"""Curves, table and page of runs in a real store."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.compare.command import compare
from reprolm.compare.figures import apart, look
from reprolm.compare.page import continuations, render, sampled
from reprolm.compare.result import compared
from reprolm.compare.runs import Compared, Curve, _without_pause, gathered
from reprolm.compare.select import selected
from reprolm.compare.table import table
from reprolm.tracking.runs import all_runs
from tests.compare.conftest import Store


def test_a_curve_is_known_along_steps_tokens_operations_and_time(runs: dict[str, Compared]) -> None:
    run = runs["rate=0.01,seed=2"]
    steps, losses = run.along("validation/loss", "steps")
    assert list(steps) == [5, 10, 15, 20]
    np.testing.assert_allclose(losses, 1.52 + 5 / steps)
    assert list(run.along("validation/loss", "tokens")[0]) == [160, 320, 480, 640]
    assert list(run.along("validation/loss", "FLOP")[0]) == [160e3, 320e3, 480e3, 640e3]
    assert list(run.along("validation/loss", "seconds")[0]) == [0, 2.5, 5, 7.5]
    assert len(run.along("unknown", "steps")[0]) == 0


def test_the_time_between_a_kill_and_the_going_on_counts_for_nothing() -> None:
    steps = np.arange(1.0, 7.0)
    seconds = np.array([0.0, 1.0, 2.0, 900.0, 901.0, 902.0])
    assert list(_without_pause(steps, seconds, "3")) == [0, 1, 2, 3, 4, 5]
    assert list(_without_pause(steps, seconds, "0")) == list(seconds)


def test_a_run_taken_from_the_cache_has_clock_and_machine_of_the_one_that_trained(store: Store) -> None:
    trained = selected(store.to, ["rate=0.03,seed=3", "bytes"])[0].info.run_id
    tags = {"stage__train": "cached", "stage__train__computed_by": trained}
    store.to.client.set_tag(trained, "device", "a GPU")
    own = store.add("from-cache", {"seed": "3"}, 7.0, **tags)
    [found] = gathered(store.to, [store.to.client.get_run(own)])
    assert found.curves["validation/loss"].values[-1] == pytest.approx(1.23 + 5 / 20)
    assert len(found.curves["validation/loss"].seconds) == 4
    assert found.tags["device"] == "a GPU"
    store.to.client.delete_tag(trained, "device")
    store.to.client.delete_run(own)


def test_the_table_has_a_line_for_each_group_and_marks_the_best(runs: dict[str, Compared]) -> None:
    both = [run for name, run in runs.items() if name.startswith("rate=")]
    lines = table(compared(both)).splitlines()
    assert lines[1].startswith("learning_rate=0.01")
    assert re.search(r"learning_rate=0.03\s+3\s+1\.220 ± 0\.025\*", lines[2])
    assert "*" not in lines[1]


class Outline(HTMLParser):
    """Tags and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def outline(store: Store) -> Outline:
    """The page of all runs."""
    found = [run for run in all_runs(store.to) if run.info.status == "FINISHED"]
    return Outline(render(compared(gathered(store.to, found)), ["reprolm", "compare", "*"]))


def test_the_page_needs_no_script_and_no_network(outline: Outline) -> None:
    assert not [tag for tag, _ in outline.tags if tag in ("script", "img", "iframe")]
    links = [value for _, found in outline.tags for key, value in found.items() if key in ("src", "href")]
    assert all(str(link).startswith(("#", "data:")) for link in links)
    ids = [found["id"] for _, found in outline.tags if "id" in found]
    assert len(ids) == len(set(ids))
    assert "<script>alert(1)</script> 0" in outline.text


def test_the_page_has_every_figure_along_every_quantity(outline: Outline) -> None:
    drawn = [found["aria-label"] for tag, found in outline.tags if tag == "figure"]
    assert len(drawn) == 8
    switches = [found["id"] for tag, found in outline.tags if tag == "input"]
    assert switches == ["along-steps", "along-tokens", "along-FLOP", "along-seconds"]
    assert "the best mean of 3" in outline.text


def test_samples_stand_beside_those_of_the_same_seed_prompt_and_draw(runs: dict[str, Compared]) -> None:
    both = [run for name, run in runs.items() if name.startswith("rate=")]
    found = compared(both)
    chosen = sampled(found)
    assert [run.params["seed"] for run in chosen] == ["1", "1"]
    rows = continuations(found, chosen)
    assert [(row.prompt, row.draw) for row in rows] == [("Once", 0), ("Once", 1), ("<b>", 0), ("<b>", 1)]
    assert [text for _, _, text in rows[1].texts] == ["rate 0.01 said 1", "rate 0.03 said 1"]


def test_a_run_that_measured_nothing_is_compared_as_far_as_it_goes() -> None:
    empty = [Compared(name, name, "RUNNING", {"x": name}, {}, {}) for name in "ab"]
    nothing = Outline(render(compared(empty), ["reprolm", "compare"])).text
    assert "Not known of these runs." in nothing
    assert "Not finished: a, b." in nothing
    lonely = Curve(np.array([1.0]), np.array([2.0]), np.empty(0))
    one = [Compared(n, n, "RUNNING", {"x": n}, {}, {}, {"train/loss": lonely}) for n in "ab"]
    assert "<svg" in render(compared(one), ["reprolm", "compare"])


def test_twenty_groups_are_told_apart_by_colour_and_dashes() -> None:
    assert len({look(index) for index in range(32)}) == 32
    runs = [Compared(str(i), str(i), "FINISHED", {"x": str(i)}, {"evaluate/bits_per_byte": 1.0 + i}, {},
                     {"validation/loss": Curve(np.arange(1.0, 9.0), 1 / np.arange(1.0, 9.0), np.empty(0))})
            for i in range(20)]  # fmt: skip
    assert "the dashes differ" in render(compared(runs), ["reprolm", "compare"])


@given(st.lists(st.floats(0, 300), min_size=1, max_size=8))
def test_labels_never_overlap_and_keep_their_order(heights: list[float]) -> None:
    places = apart(heights, 10.0)
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    gaps = np.diff([places[index] for index in order])
    assert (gaps > 10.0 - 1e-6).all()


def test_the_command_writes_the_page_where_it_is_told(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reprolm.compare.command.connect", lambda root: store.to)
    compare(tmp_path, ["rate=0.01*", "bytes"], tmp_path / "deep" / "page.html")
    assert "tokens differ" in capsys.readouterr().out
    assert "reprolm compare &#39;rate=0.01*&#39; bytes" in (tmp_path / "deep" / "page.html").read_text()
