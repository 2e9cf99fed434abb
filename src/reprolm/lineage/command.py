"""The commands that lead from a run back to what it was made from."""

from pathlib import Path
from typing import Annotated

import typer

Page = Annotated[
    Path | None, typer.Option(dir_okay=False, help="the page to write, instead of one in reports/")
]
Run = Annotated[str, typer.Argument(help="the id of a run, its beginning, its name, or latest")]


def _root() -> Path:
    from reprolm.tracking.location import repository

    return repository()


def recreate(
    run: Run,
    into: Annotated[Path | None, typer.Option(help="a new folder to work in, instead of one beside")] = None,
    anyway: Annotated[
        bool, typer.Option(help="also with other versions of packages that change bits")
    ] = False,
) -> None:
    """Makes a run again in a fresh clone and compares digests: exit 0 if all are the same."""
    from reprolm.lineage.recreate import recreate as make_again

    make_again(_root(), run, into, anyway=anyway)


def lineage(
    run: Run,
    out: Page = None,
) -> None:
    """Shows what a run was made from and which run computed each part, as a tree and as a page."""
    from reprolm.lineage.tree import show

    show(_root(), run, out)


def clean(
    remove: Annotated[bool, typer.Option("--remove", help="removes those that no process is at")] = False,
) -> None:
    """Names the checkpoints of trainings that were never finished, with their size."""
    from reprolm.lineage.leftovers import clean as tidy

    tidy(_root(), remove=remove)


def install(app: typer.Typer) -> None:
    """Adds these commands to `reprolm`."""
    for command in (recreate, lineage, clean):
        app.command()(command)
