"""What MLflow's pages show at first: training runs, with the columns that tell models apart.

Who opens them with `reprolm ui` finds it set in the browser; a team's own server has it as a shared view, a
tag of the experiment that a link names. What a reader has chosen stands.
"""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.entities import Experiment

NAME = "reprolm"
KIND = "mlflow.experimentKind"
TAG = f"mlflow.sharedViewState.{NAME}"
COLUMNS = (
    "metrics.`train/best_validation_loss`",
    "metrics.`evaluate/perplexity`",
    "metrics.`evaluate/bits_per_byte`",
    "params.`model.n_layers`",
    "params.`model.d_model`",
    "params.`train.steps`",
    "params.`train.learning_rate`",
    "params.`seed`",
    "tags.`changed`",
)
"""The columns beside name, age and duration."""
# the whole of what MLflow's page keeps: it takes no part of it
STATE = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "selectedColumns": COLUMNS,
    "columnOrder": [],
    "columnWidths": {},
    "runsExpanded": {},
    "runsPinned": [],
    "runsHidden": [],
    "runsVisibilityMap": {},
    "runsHiddenMode": "FIRST_10_RUNS",
    "viewMaximized": False,
    "runListHidden": False,
    "isAccordionReordered": False,
    "useGroupedValuesInCharts": True,
    "hideEmptyCharts": True,
    "groupBy": None,
    "groupsExpanded": {},
    "autoRefreshEnabled": True,
    "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
}
TAGS = {KIND: "custom_model_development", TAG: json.dumps(STATE)}


def address(experiment: str) -> str:
    """The table of runs of an experiment in its shared view, below the address of a server."""
    return f"#/experiments/{experiment}/runs?viewStateShareKey={NAME}&workflowType=machine_learning"


def remembered(experiment: str) -> dict[str, str]:
    """What a browser remembers of the pages, as if its reader had chosen this view before."""
    return {
        "mlflow.workflowType_v1": '"machine_learning"',
        # an assistant would else open by itself, over the table
        "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
        f'MLflowLocalStorage-1.1-ExperimentPage-["{experiment}"]-ReactComponentState': json.dumps(STATE),
    }


def lacking(experiment: "Experiment") -> dict[str, str]:
    """The tags that an experiment lacks; a kind that its owner chose stays."""
    has = experiment.tags
    return {key: value for key, value in TAGS.items() if key not in has or (key == TAG and has[key] != value)}
