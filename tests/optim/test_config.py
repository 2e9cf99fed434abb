"""Options of the optimizers."""

import pytest

from reprolm.config import chosen, words
from reprolm.errors import ReprolmError
from reprolm.optim.config import OptimConfig
from tests.settings import train_config

OPTIMIZERS = words(OptimConfig.model_fields["optimizer"].annotation)


def test_nesterov_without_momentum_is_one_line() -> None:
    line = r"^train.sgd.nesterov: needs sgd.momentum above 0 \(got True; want false, or a momentum of 0.9\)$"
    with pytest.raises(ReprolmError, match=line):
        train_config(optimizer="sgd", sgd={"momentum": 0.0, "nesterov": True})


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_only_the_options_that_are_read_act(kind: str) -> None:
    groups = {name.split(".")[0] for name in chosen(train_config(optimizer=kind)) if "." in name}
    read = {"adam"} if kind.startswith("adam") else {"adam", "muon"} if kind == "muon" else {kind}
    assert groups & {"adam", "sgd", "lion", "muon"} == read
