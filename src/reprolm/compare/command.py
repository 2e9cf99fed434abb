"""`reprolm compare`: finds the runs, shows a table, writes the page."""

from collections.abc import Sequence
from pathlib import Path

from reprolm.compare.page import render
from reprolm.compare.result import compared
from reprolm.compare.runs import gathered
from reprolm.compare.select import selected
from reprolm.compare.table import table
from reprolm.store import publish_file
from reprolm.tracking.destination import asking, connect

PAGE = Path("reports/compare.html")


def compare(root: Path, words: Sequence[str], out: Path | None) -> None:
    """Prints the table and writes the page.

    Raises:
        ReprolmError: words name no runs, or less than two (exit 2); the store does not answer (69).
    """
    place = (out or root / PAGE).absolute()
    to = connect(root)
    with asking(root):
        found = compared(gathered(to, selected(to, words)))
    print(table(found))
    place.parent.mkdir(parents=True, exist_ok=True)
    publish_file(place, render(found, ["reprolm", "compare", *words]))
    print(f"\n{place}")
