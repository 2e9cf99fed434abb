"""A permutation of any size that needs no memory: a Feistel network on two digits, with cycle walking.

Black and Rogaway, "Ciphers with arbitrary finite domains" (CT-RSA 2002). A number below a·b, a ≈ b ≈ √size,
is two digits; each round adds a keyed hash of one to the other, modulo its base, which can be undone, so that
the whole is a bijection. What falls on a number from `size` on (fewer than a of them) is sent through again.
"""

import math

import numpy as np
import numpy.typing as npt

ROUNDS = 6
Numbers = npt.NDArray[np.uint64]


def _mixed(x: Numbers) -> Numbers:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): each bit of `x` changes half of the others."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Permutation:
    """A bijection of 0 … size − 1, drawn by `seed`."""

    def __init__(self, size: int, seed: int) -> None:
        assert size > 0
        self._size = np.uint64(size)
        a = math.isqrt(size - 1) + 1
        self._a, self._b = np.uint64(a), np.uint64(-(-size // a))
        rounds = np.arange(1, ROUNDS + 1, dtype=np.uint64)
        self._keys = _mixed(np.uint64(seed) + rounds * np.uint64(0x9E3779B97F4A7C15))

    def __call__(self, numbers: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The images of numbers below `size`."""
        x = self._once(np.asarray(numbers, dtype=np.uint64))
        while (outside := x >= self._size).any():
            x[outside] = self._once(x[outside])
        return x.astype(np.int64)

    def _once(self, x: Numbers) -> Numbers:
        left, right = x % self._a, x // self._a
        for i in range(0, ROUNDS, 2):
            left = (left + _mixed(right + self._keys[i]) % self._a) % self._a
            right = (right + _mixed(left + self._keys[i + 1]) % self._b) % self._b
        return left + self._a * right
