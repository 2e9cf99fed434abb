"""What MLflow's pages show at first: training runs, with the columns that tell models apart.

Who opens them with `reprolm ui` finds it set in the browser; a team's own server has it as a shared view, a
tag of the experiment that a link names. What a reader has chosen stands.
"""

import base64
import json
import zlib
from typing import TYPE_CHECKING

from reprolm.tracking import charts

if TYPE_CHECKING:
    from mlflow.entities import Experiment

NAME = "reprolm"
KIND = "mlflow.experimentKind"
TAG = f"mlflow.sharedViewState.{NAME}"
COLUMNS = {
    "tags.`changed`": 158,
    "metrics.`evaluate/bits_per_byte`": 157,
    "metrics.`evaluate/perplexity`": 142,
    "metrics.`train/best_validation_loss`": 195,
    "params.`train.learning_rate`": 150,
    "params.`train.steps`": 100,
    "params.`model.n_layers`": 120,
    "params.`model.d_model`": 120,
    "params.`seed`": 70,
}
"""The columns beside name, age and duration, each as wide as its heading needs, in pixels."""
FIRST = {"1": 73, "attributes.`Run Name`": 240, "runDateAndNestInfo": 130, "duration": 75}
"""The columns that are always there: tick, name (of an experiment of two axes), age, duration."""
# the whole of what MLflow's page keeps: it takes no part of it
STATE = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "selectedColumns": list(COLUMNS),
    "columnOrder": [*FIRST, *COLUMNS],
    "columnWidths": FIRST | COLUMNS,
    "runsExpanded": {},
    "runsPinned": [],
    "runsHidden": [],
    "runsVisibilityMap": {},
    "runsHiddenMode": "FIRST_10_RUNS",
    "viewMaximized": False,
    "runListHidden": False,
    "useGroupedValuesInCharts": True,
    "hideEmptyCharts": True,
    "groupBy": None,
    "groupsExpanded": {},
    "autoRefreshEnabled": True,
    "globalLineChartConfig": charts.AXIS,
    **charts.of_several(),
}
# as MLflow itself writes a long one: servers of before take 5,000 letters
PACKED = "deflate;" + base64.b64encode(zlib.compress(json.dumps(STATE).encode())).decode()
TAGS = {KIND: "custom_model_development", TAG: PACKED}


def remembered(experiment: str) -> dict[str, str]:
    """What a browser remembers of the pages, as if its reader had chosen this view before."""
    return {
        "mlflow.workflowType_v1": '"machine_learning"',
        # an assistant would else open by itself, over the table
        "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
        f'MLflowLocalStorage-1.1-ExperimentPage-["{experiment}"]-ReactComponentState': json.dumps(STATE),
    }


def charts_of_a_run() -> str:
    """What a browser remembers of the charts of a run whose reader has arranged them so."""
    return json.dumps(charts.of_run())


def lacking(experiment: "Experiment") -> dict[str, str]:
    """The tags that an experiment lacks; a kind that its owner chose stays."""
    has = experiment.tags
    return {key: value for key, value in TAGS.items() if key not in has or (key == TAG and has[key] != value)}
