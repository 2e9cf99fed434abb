"""Group `train.events`: when a curve counts as unhealthy, and what is done then."""

from typing import Literal

from pydantic import Field

from reprolm.config import Config


class EventsConfig(Config):
    """Thresholds of `diagnose.detect`, the same for all runs that are to be compared."""

    on_divergence: Literal["stop", "record"]
    """A loss that is not finite always stops."""
    spike_sigmas: float = Field(gt=0)
    """Of the noise of the last 100 steps."""
    spike_share: float = Field(gt=0)
    """Of the averaged loss, which a spike is above as well."""
    diverged_share: float = Field(gt=0)
    """Of what training had gained, and is lost again."""
    plateau_share: float = Field(ge=0)
    """Of what training had gained, which a tenth of the run must add."""
    explosion_factor: float = Field(gt=1)
    """Times the median gradient norm."""
