"""Shared memory that a worker lends to the main process for a batch, and uses again once the batch is gone."""

from __future__ import annotations

import multiprocessing
import os
import weakref
from functools import lru_cache
from typing import NamedTuple
from uuid import uuid4

import numpy as np
import torch

_BLOCKS = 8
"""Blocks that a worker uses again; while all of them are out, further batches get memory of their own."""
_MEGABYTE = 1 << 20
_HEADER = 64
"""Bytes before the content. The first one tells whether the block is lent."""


class Loan(NamedTuple):
    """What the main process has to know of a block.

    Attributes:
        lender: Name of the worker's blocks; empty for memory that is used once.
        block: Number of the block.
        process: Process id of the worker.
        memory: (n,) uint8, only when the block travels for the first time.
    """

    lender: str
    block: int
    process: int
    memory: torch.Tensor | None


class LentMemory:
    """The blocks of one process.

    To copy a batch into new shared memory takes twenty times as long as into memory that was used before: the system
    clears every page, and stops each process at every page that it meets for the first time.

    Example:
        >>> room, loan = LentMemory().lend(3)
        >>> room[:] = 1, 2, 3
        >>> borrowed(loan)[:3].tolist()
        [1, 2, 3]
    """

    def __init__(self) -> None:
        self._name = uuid4().hex
        self._blocks: list[torch.Tensor] = []
        self._largest = 0

    def lend(self, size: int) -> tuple[np.ndarray, Loan]:
        """Room for ``size`` bytes, (size,) uint8, and what :func:`borrowed` makes of it in the main process."""
        self._largest = max(self._largest, -(-(_HEADER + size) // _MEGABYTE) * _MEGABYTE)
        free = [i for i, block in enumerate(self._blocks) if not block[0]]
        number = next((i for i in free if len(self._blocks[i]) >= _HEADER + size), -1)
        known = number >= 0
        if not known:
            if not free and len(self._blocks) == _BLOCKS:
                return lend_once(size)
            number = free[0] if free else len(self._blocks)
            self._blocks[number : number + 1] = [_shared(self._largest)]
        memory = self._blocks[number]
        memory[0] = 1
        loan = Loan(self._name, number, os.getpid(), None if known else memory)
        return memory.numpy()[_HEADER : _HEADER + size], loan


def lend_once(size: int) -> tuple[np.ndarray, Loan]:
    """As :meth:`LentMemory.lend`, in memory that is not used again."""
    memory = _shared(_HEADER + size)
    return memory.numpy()[_HEADER:], Loan("", 0, os.getpid(), memory)


@lru_cache(maxsize=1)
def lent_memory(process: int) -> LentMemory:
    """The blocks of this process, by its id: a fork has its own."""
    return LentMemory()


_borrowed: dict[tuple[str, int], torch.Tensor] = {}
"""Blocks of the workers of this process, for as long as these are known to it."""


def borrowed(loan: Loan) -> np.ndarray:
    """The content of a block, (n,) uint8; when no array or tensor shares it any more, its worker may use it again."""
    lender, block, process, memory = loan
    if memory is None:
        memory = _borrowed[lender, block]
    elif lender:
        worker = next((child for child in multiprocessing.active_children() if child.pid == process), None)
        if worker is not None:  # else it has ended, and sends nothing more
            if (lender, block) not in _borrowed:
                weakref.finalize(worker, _borrowed.pop, (lender, block), None).atexit = False
            _borrowed[lender, block] = memory
    content = memory.numpy()  # what all views of it keep alive
    weakref.finalize(content, _give_back, memory.numpy(), os.getpid()).atexit = False
    return content[_HEADER:]


def _give_back(memory: np.ndarray, process: int) -> None:
    if os.getpid() == process:  # forks of it have the same arrays, but not the right
        memory[0] = 0


def _shared(size: int) -> torch.Tensor:
    memory = torch.empty(0, dtype=torch.uint8)
    return memory.set_(torch.UntypedStorage._new_shared(size), 0, (size,))  # type: ignore[call-overload]
