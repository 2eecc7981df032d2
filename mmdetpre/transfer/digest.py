"""One number for the weights of a backbone, the same wherever it travels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

NOT_WEIGHTS = ("num_batches_tracked", "relative_position_index")
"""Ends of the names of what is not learned: counters of steps that no forward pass uses, and what the window's size
gives."""


def weights_digest(tensors: Mapping[str, Tensor], skipped: Sequence[str] = NOT_WEIGHTS) -> str:
    """SHA-256 of weights, independent of file, library, order and number format.

    For each tensor in the order of the sorted names, the digest takes the name, the shape, and the values: floating
    point as little-endian float32, whole numbers as int64. What is not learned is left out.

    Args:
        tensors: Tensors by canonical name (`mmdetpre.transfer.key_map`); an empty mapping has a digest too.
        skipped: Ends of names that are left out.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> half = {"a": torch.ones(2, dtype=torch.float16)}
        >>> weights_digest(half) == weights_digest({"a": torch.ones(2), "b.num_batches_tracked": torch.tensor(7)})
        True
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        if name.endswith(tuple(skipped)):
            continue
        tensor = tensors[name].detach()
        kind = torch.float32 if tensor.is_floating_point() else torch.int64
        values = tensor.to("cpu", kind).contiguous().numpy()
        digest.update(f"{name}{tuple(values.shape)}".encode())
        digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).reshape(-1).data)
    return digest.hexdigest()
