import re
from typing import Any

import pytest

from reprolm.config import inspected
from reprolm.corpus.config import DataConfig
from tests.settings import raw

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


@pytest.mark.parametrize(
    ("group", "values", "told"),
    [
        ("split", SHARES | {"train": 0.85}, "data.split.train: the shares .* do not sum to 1"),
        ("split", SHARES | {"train": 0.0}, "data.split.train: .*greater than 0"),
        ("split", SHARES | {"by": "line"}, "data.split.by: .*'auto', 'document' or 'position'"),
        ("docstrings", {"packages": {}}, "data.docstrings.packages"),
        ("docstrings", {"packages": {"numpy": 2.4}}, "data.docstrings.packages.numpy: .*want text"),
        ("url", {"name": "custom"}, "data.url.address: is needed"),
        ("url", {"address": "file:///etc/passwd"}, "data.url.address: .*http or https"),
        ("url", {"address": "https:///path"}, "data.url.address: .*http or https"),
        ("url", {"sha256": "ABC"}, "data.url.sha256: .*64 lowercase hex digits"),
        ("url", {"bytes": 0}, "data.url.bytes: .*greater than 0"),
        ("files", {"path": ""}, "data.files.path"),
        ("files", {"glob": "../other/*.txt"}, "data.files.glob: leaves the folder"),
        ("files", {"glob": "/etc/*"}, "data.files.glob: leaves the folder"),
    ],
)
def test_what_is_wrong_is_told_with_its_parameter(group: str, values: dict[str, Any], told: str) -> None:
    data = raw("data")
    data[group] = data[group] | values
    _, problems = inspected({"data": data}, "data", DataConfig)
    assert len(problems) == 1
    assert re.search(told, str(problems[0])), str(problems[0])


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    data = raw("data")
    data["url"] = data["url"] | {"address": "https://user:hunter2@host/x"}
    _, problems = inspected({"data": data}, "data", DataConfig)
    assert [problem.where for problem in problems] == ["data.url.address"]
    assert "hunter2" not in str(problems[0])
