"""One set of servers for all tests, and a member of the team who logs in."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.machines import Team, postgres, team
from tests.tracking.conftest import repository, tables

__all__ = ["repository", "tables"]


@pytest.fixture(scope="session")
def servers() -> Iterator[Team]:
    """The servers."""
    if postgres() is None:
        pytest.fail("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory() as place:
        # PostgreSQL runs as another user, who must be able to walk to its folder
        Path(place).chmod(0o711)
        with team(Path(place)) as running:
            yield running


@pytest.fixture
def member(servers: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    """The servers, with what a member needs in the environment."""
    for name, value in servers.member().items():
        monkeypatch.setenv(name, value)
    return servers
