"""Which charts MLflow's pages show at first: curves as lines, then results; the rest is folded away.

By itself MLflow makes one chart of each metric, sections in the order of the alphabet: bars of what was
downloaded come first, curves far below. It draws a line where the last step of a metric is 1 or more.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reprolm.tracking.shown import SCALARS

CURVES = (
    "validation/loss",
    "train/loss",
    "train/learning_rate",
    "train/gradient_norm",
    "validation/attention_entropy",
    "train/tokens_per_second",
)
Options = Mapping[str, Any]
QUALITY = ("train/best_validation_loss", "evaluate/perplexity", "evaluate/bits_per_byte")
DIFFERENCES = "differences"
AXIS = {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""}
# the whole of what MLflow keeps of each: it takes no part of it
_LINE = {
    **AXIS,
    "xAxisScaleType": "linear",
    "scaleType": "linear",
    "range": {},
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "ignoreOutliers": False,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}
_DIFFERENCE = {
    "compareGroups": ["Parameters", "Model metrics"],
    "chartName": "What differs",
    # its colours take more for better
    "showChangeFromBaseline": False,
    "showDifferencesOnly": True,
    "baselineColumnUuid": "",
}


def _card(kind: str, section: str, name: str, options: Options | None = None) -> dict[str, Any]:
    known = {"uuid": f"{section}-{name}", "type": kind, "metricSectionId": section, "runsCountToCompare": 10}
    return {**known, "deleted": False, "isGenerated": False, "displayName": name, **(options or {})}


def _cards(kind: str, section: str, names: Iterable[str], options: Options) -> list[dict[str, Any]]:
    return [_card(kind, section, name, {"metricKey": name, **options}) for name in names]


def _section(name: str, *, shown: bool) -> dict[str, Any]:
    state = {"isReordered": False, "deleted": False, "isGenerated": True}
    # a table needs the whole width
    wide = {"columns": 1, "cardHeight": 480} if name == DIFFERENCES else {}
    return {"uuid": name, "name": name, "display": shown, **state, **wide}


def _view(cards: Sequence[dict[str, Any]], sections: Sequence[str]) -> dict[str, Any]:
    folded = sorted({name.rpartition("/")[0] for name in (*SCALARS, *CURVES)})
    return {
        "compareRunCharts": cards,
        "compareRunSections": [
            *(_section(name, shown=True) for name in sections),
            *(_section(name, shown=False) for name in folded),
        ],
        # else MLflow sorts the sections
        "isAccordionReordered": True,
    }


def of_run() -> dict[str, Any]:
    """The state of the charts of one run."""
    axis = {"autoRefreshEnabled": True, "globalLineChartConfig": AXIS}
    return {**_view(_cards("LINE", "curves", CURVES, _LINE), ["curves"]), **axis}


def of_several() -> dict[str, Any]:
    """That of the chart view of several runs: curves, the numbers that judge them, a table of differences."""
    cards = [
        *_cards("LINE", "curves", CURVES, _LINE),
        *_cards("BAR", "results", QUALITY, {}),
        _card("DIFFERENCE", DIFFERENCES, "What differs", _DIFFERENCE),
    ]
    return _view(cards, ["curves", "results", DIFFERENCES])
