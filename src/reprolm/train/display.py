"""The numbers beside the progress bar."""

import torch

from reprolm.device import peak_bytes, peak_flops
from reprolm.model.count import flops_per_token
from reprolm.model.transformer import Transformer
from reprolm.train.precision import TYPES
from reprolm.train.run import Run


class Display:
    """Loss, best validation loss, learning rate, memory, and MFU where the devices' peak is known.

    MFU is the share of the devices' peak that training reaches, tokens a second × operations a token / peak
    (Chowdhery et al. 2022, arXiv:2204.02311, B).
    """

    def __init__(self, run: Run, model: Transformer) -> None:
        self._device: torch.device = run.device
        peak = peak_flops(run.device, TYPES[run.train.precision])
        self._share_of_peak = flops_per_token(model) / (peak * run.world.size) if peak else None

    def utilisation(self, tokens_per_second: float) -> dict[str, float]:
        """`train/mfu`, where it is known."""
        share = self._share_of_peak
        return {} if share is None else {"train/mfu": tokens_per_second * share}

    def shown(self, values: dict[str, float], best: float | None) -> dict[str, float | str]:
        """What to show after a step that was looked at, nothing after others."""
        if "train/loss" not in values:
            return {}
        shown: dict[str, float | str] = {"loss": values["train/loss"]}
        if best is not None:
            shown["best"] = best
        shown["lr"] = values["train/learning_rate"]
        if "train/mfu" in values:
            shown["MFU"] = f"{values['train/mfu']:.1%}"
        return shown | {"memory": f"{peak_bytes(self._device) / 2**20:,.0f} MiB"}
