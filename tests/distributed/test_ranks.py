"""What the environment says of several processes."""

import pytest

from reprolm.distributed.ranks import RENDEZVOUS, Place, place
from reprolm.errors import Exit, ReprolmError


def test_a_process_is_the_one_that_torchrun_says() -> None:
    assert place({}) == place({"RANK": "3"}) == Place() == Place(0, 1, 0, 1, "env://")
    assert place({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}) == Place(1, 2, 1, 2)
    assert place({"RANK": "1", "WORLD_SIZE": "2"}) == Place(1, 2, 0, 2)
    of_torchrun = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    assert place(of_torchrun) == Place(3, 4, 1, 2)


def test_the_processes_of_one_machine_meet_where_the_first_one_says() -> None:
    assert place({"RANK": "1", "WORLD_SIZE": "2", RENDEZVOUS: "file:///x"}).rendezvous == "file:///x"


@pytest.mark.parametrize(
    ("name", "text"),
    [("RANK", "abc"), ("RANK", "-1"), ("RANK", "2"), ("RANK", ""), ("WORLD_SIZE", "0"), ("WORLD_SIZE", "two"),
     ("WORLD_SIZE", "9" * 5000), ("LOCAL_RANK", "1.0"), ("LOCAL_WORLD_SIZE", "0")],
)  # fmt: skip
def test_an_environment_that_names_no_process_is_one_line(name: str, text: str) -> None:
    with pytest.raises(ReprolmError, match=f"^{name}: is set to what is no process") as caught:
        place({"RANK": "0", "WORLD_SIZE": "2", name: text})
    assert caught.value.exit is Exit.PARAMETERS
    assert len(str(caught.value).splitlines()) == 1
