"""How many bytes of tensors are alive while code runs, and the most that ever were."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from reprolm.plan.heap import Heap


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts each storage from the operation that makes it until nothing refers to it any more.

    Views share the storage of what they look at; what a kernel uses inside itself is not seen.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device = device
        self.bytes = self.peak_bytes = 0
        self.heap = Heap()
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = self.computed(func, args, kwargs or {})
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.device.type == self.device.type:
                self._count(leaf.untyped_storage())
        return result

    def computed(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """The result of one operation."""
        return func(*args, **kwargs)

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        address = self.heap.allocate(size)

        def freed(_: Any) -> None:
            self.bytes -= size
            self.heap.free(address, size)
            del self._known[key]

        self._known[key] = weakref.ref(storage, freed)
        self.bytes += size
        self.peak_bytes = max(self.peak_bytes, self.bytes)

    @contextmanager
    def highest(self) -> Iterator[list[int]]:
        """A list that holds, when the block ends, the most bytes that were alive at once within it."""
        before, self.peak_bytes = self.peak_bytes, self.bytes
        found: list[int] = []
        try:
            yield found
        finally:
            found.append(self.peak_bytes)
            self.peak_bytes = max(before, self.peak_bytes)


class Shapes(Live):  # type: ignore[no-untyped-call]
    """The same for code that is run on shapes alone: nothing is computed, and no memory is taken.

    Where a shape hangs on values, the values are taken as they are on average: a router that picks one of
    `one_in` experts sends it that share of its tokens.
    """

    def __init__(self, device: torch.device, one_in: int = 1) -> None:
        super().__init__(device)
        self.one_in = one_in
        self._without_values = FakeTensorMode(allow_non_fake_inputs=True)

    def __enter__(self) -> "Shapes":
        self._without_values.__enter__()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._without_values.__exit__(*error)

    def computed(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """The shape of the result of one operation."""
        if func is torch.ops.aten.nonzero.default:
            rows = max(1, args[0].numel() // self.one_in)
            return args[0].new_empty((rows, args[0].ndim), dtype=torch.long)
        if func is torch.ops.aten._local_scalar_dense.default:
            return 1.0
        return func(*args, **kwargs)
