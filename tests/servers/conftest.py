"""One set of servers for all tests, and a member of the team who logs in."""

from collections.abc import Iterator

import pytest

from tests.servers.machines import Team, postgres, team
from tests.tracking.conftest import repository, tables

__all__ = ["repository", "tables"]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The servers."""
    if postgres() is None:
        pytest.fail("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    place = tmp_path_factory.mktemp("servers")
    # PostgreSQL runs as another user, who must be able to walk to its folder
    for path in (place, *place.parents[:2]):
        path.chmod(path.stat().st_mode | 0o011)
    with team(place) as running:
        yield running


@pytest.fixture
def member(servers: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    """The servers, with what a member needs in the environment."""
    for name, value in servers.member().items():
        monkeypatch.setenv(name, value)
    return servers
