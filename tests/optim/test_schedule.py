"""The learning rate over the steps."""

import pytest

from reprolm.config import words
from reprolm.optim.schedule import share
from reprolm.train.config import TrainConfig

KINDS = words(TrainConfig.model_fields["schedule"].annotation)


@pytest.mark.parametrize("kind", KINDS)
def test_it_rises_to_one_and_never_rises_again(kind: str) -> None:
    values = [share(kind, step, warmup_steps=10, steps=100, final=0.1) for step in range(100)]
    assert values[9] == 1.0 == max(values)
    assert values[:10] == sorted(values[:10])
    assert values[9:] == sorted(values[9:], reverse=True)
    assert values[-1] == pytest.approx(1.0 if kind == "constant" else 0.1)


def test_cosine_is_that_of_torch() -> None:
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50, eta_min=0.1)
    for step in range(50):
        optimizer.step()
        schedule.step()
        assert share("cosine", step, warmup_steps=0, steps=50, final=0.1) == pytest.approx(
            schedule.get_last_lr()[0]
        )
