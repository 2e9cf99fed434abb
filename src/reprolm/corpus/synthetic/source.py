"""The source `synthetic`: documents of a process, and the oracle that scores them."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from reprolm.corpus.synthetic.chains import Delay, HiddenMarkov, Markov
from reprolm.corpus.synthetic.config import SyntheticConfig
from reprolm.corpus.synthetic.grammar import Grammar
from reprolm.corpus.synthetic.process import Floor, Process
from reprolm.corpus.synthetic.tasks import Copying, Dyck, Recall
from reprolm.corpus.text import Text
from reprolm.errors import Exit, refuse
from reprolm.progress import Progress
from reprolm.seeds import stream

FEWEST_DIFFERENT = 10
PROCESSES: dict[str, Callable[[SyntheticConfig], Process]] = {
    "markov": lambda c: Markov(c.markov, c.length, c.seed),
    "hidden_markov": lambda c: HiddenMarkov(c.hidden_markov, c.length, c.seed),
    "delay": lambda c: Delay(c.delay, c.length),
    "copying": lambda c: Copying(c.copying),
    "recall": lambda c: Recall(c.recall),
    "dyck": lambda c: Dyck(c.dyck, c.length),
    "grammar": lambda c: Grammar(c.grammar),
}


def process(config: SyntheticConfig) -> Process:
    """The process that `data.synthetic.kind` names."""
    return PROCESSES[config.kind](config)


class Synthetic:
    """Document i is a function of the seed and i: more documents begin with the same ones.

    Raises:
        ReprolmError: the process has not many more different documents than it shall write (exit 2).
    """

    file = ""

    def __init__(self, config: SyntheticConfig) -> None:
        self._config, self._process = config, process(config)
        floor = self._process.floor()
        _require_variety(config, floor)
        self.facts: dict[str, Any] = {
            "synthetic": config.model_dump(),
            "floor": {
                "nats_per_symbol": floor.nats_per_symbol,
                "bits_per_byte": floor.bits_per_byte,
                "standard_error_nats": floor.standard_error,
            },
        }

    def __iter__(self) -> Iterator[Text]:
        config = self._config
        with Progress("download", config.documents, "documents") as progress:
            for index in range(config.documents):
                yield self._process.document(stream(config.seed, "synthetic", index))
                progress.advance()


def _require_variety(config: SyntheticConfig, floor: Floor) -> None:
    """Equal documents share a split: of few different ones, those held out would be unlike the rest."""
    if floor.nats < math.log(FEWEST_DIFFERENT * config.documents):
        raise refuse(
            "data.synthetic.documents",
            f"is too near the number of different documents of data.synthetic.kind {config.kind}",
            got=config.documents,
            want=f"at most {int(math.exp(floor.nats) / FEWEST_DIFFERENT)}, or longer ones",
            exit=Exit.PARAMETERS,
        )
