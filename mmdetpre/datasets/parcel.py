"""A batch that leaves its worker process in one piece of shared memory."""

from __future__ import annotations

import copyreg
import io
import os
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import get_worker_info

from mmdetpre.datasets.lent_memory import LentMemory, Loan, borrowed, lend_once, lent_memory
from mmdetpre.registry import FUNCTIONS
from mmdetpre.utils.stacked_images import stacked_images

_ALIGNED = 64
"""Bytes: any type may begin there."""


@FUNCTIONS.register_module()
def parcel_collate(batch: Sequence[Any]) -> Any:
    """``pseudo_collate`` whose result travels from worker to main process as one parcel.

    torch sends every tensor of a batch through a shared-memory file of its own: 96 for 16 chips, which costs more than
    to load them. Here all tensors and arrays of the batch share one, which the worker uses again once the main process
    has let go of the batch. What arrives is what ``pseudo_collate`` returns, equal to the last bit; without workers it
    is returned as it is. Its uint8 images share one tensor, for ``mmdetpre.ChipDataPreprocessor``.

    Example (config):
        ``train_dataloader = dict(collate_fn=dict(type="mmdetpre.parcel_collate"))``
    """
    together = pseudo_collate(batch)
    if isinstance(together, dict) and (images := stacked_images(together.get("inputs"))) is not None:
        together["inputs"] = images
    return together if get_worker_info() is None else Parcel(together, lent_memory(os.getpid()))


class Parcel:
    """An object made of Python objects, tensors and arrays, which another process unpickles as the object itself.

    Packed at once, so that an error is raised where the object was made and not in a thread of the queue.

    Args:
        content: Anything that can be pickled. Arrays, and tensors that NumPy can look at, share one piece of
            memory; all else is pickled.
        lender: Where that memory comes from; memory for this parcel alone if not given.

    Example:
        >>> content = {"a": torch.arange(3), "b": [np.ones(2), "c"]}
        >>> again = pickle.loads(pickle.dumps(Parcel(content)))
        >>> again["a"].tolist(), again["b"][0].tolist(), again["b"][1]
        ([0, 1, 2], [1.0, 1.0], 'c')
    """

    def __init__(self, content: Any, lender: LentMemory | None = None) -> None:
        buffers: list[pickle.PickleBuffer] = []
        file = io.BytesIO()
        pickler = pickle.Pickler(file, 5, buffer_callback=buffers.append)
        pickler.dispatch_table = copyreg.dispatch_table | {torch.Tensor: _reduce}
        pickler.dump(content)
        parts = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]
        self.objects = file.getvalue()
        self.sizes = [len(part) for part in parts]
        memory, self.loan = (lender.lend if lender else lend_once)(sum(map(_room, self.sizes)))
        for place, part in zip(_places(memory, self.sizes), parts, strict=True):
            place[:] = part

    def __reduce__(self) -> tuple:
        return _unpack, (self.objects, self.loan, self.sizes)


def _room(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _places(memory: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    """The parts of the memory, as bytes."""
    ends = np.cumsum([0, *map(_room, sizes)])
    return [memory[end : end + size] for end, size in zip(ends[:-1].tolist(), sizes, strict=True)]


def _unpack(objects: bytes, loan: Loan, sizes: Sequence[int]) -> Any:
    return pickle.loads(objects, buffers=_places(borrowed(loan), sizes))


def _reduce(tensor: torch.Tensor) -> Any:
    try:
        return torch.from_numpy, (tensor.numpy(),)
    except (TypeError, RuntimeError):  # on a GPU, sparse, bfloat16; with a gradient, conjugated
        return tensor.__reduce_ex__(5)
