"""What all tests share."""

import os

import pytest
from hypothesis import settings

# workers share two cores: threads of theirs would only wait for each other
os.environ["OMP_NUM_THREADS"] = "1"
# no test depends on how fast the machine is
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files of pipelines first: begun last, one of them would keep the other workers waiting."""
    items.sort(key=lambda item: item.path.parent.name != "pipeline")
