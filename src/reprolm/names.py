"""Names of parameters as people read them."""

from collections.abc import Sequence


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Each key as the last of its words, with as many before it as tell it from the others.

    >>> short_names(["train.steps", "seed", "data.seed"])
    {'train.steps': 'steps', 'seed': 'seed', 'data.seed': 'data.seed'}
    """

    def tail(key: str, count: int) -> str:
        return ".".join(key.split(".")[-count:])

    names = {}
    for key in keys:
        counts = range(1, key.count(".") + 2)
        unique = (n for n in counts if sum(tail(other, n) == tail(key, n) for other in keys) == 1)
        names[key] = tail(key, next(unique, counts[-1]))
    return names
