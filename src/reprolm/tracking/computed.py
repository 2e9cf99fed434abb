"""Which run of the store computed a stage itself, rather than taking it from DVC's cache."""

from typing import TYPE_CHECKING, Any

from reprolm.tracking.destination import Destination

if TYPE_CHECKING:
    from mlflow.entities import Run


def computing_run(to: Destination, stage: str, digest: str) -> "Run | None":
    """The newest run whose `stage` ran and made what has this digest.

    Raises:
        MlflowException: the store does not answer.
    """
    wanted = f"tags.`stage.{stage}.digest` = '{digest}' and tags.`stage.{stage}` = 'ran'"
    newest = ["attributes.start_time DESC"]
    found: list[Any] = to.client.search_runs([to.experiment], wanted, max_results=1, order_by=newest)
    return found[0] if found else None
