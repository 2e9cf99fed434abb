"""The command that names a model."""

from typing import Annotated

import typer

from reprolm.lineage.command import Run

NAME = "language-model"
"""Also the name of the artifact in dvc.yaml."""


def promote(
    run: Run,
    alias: Annotated[str, typer.Option(help="the alias that is to point to this model")] = "champion",
    name: Annotated[str, typer.Option(help="the name in MLflow's registry")] = NAME,
) -> None:
    """Registers the model of a run in MLflow, loadable and served by its name and alias."""
    from reprolm.registry.promote import promote as register
    from reprolm.tracking.location import repository

    register(repository(), run, name, alias)


def install(app: typer.Typer) -> None:
    """Adds this command to `reprolm`."""
    app.command()(promote)
