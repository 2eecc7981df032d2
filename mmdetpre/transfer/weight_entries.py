"""Where in a checkpoint its weights are: the usual entries, and entries within entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch import Tensor

ENTRIES = ("state_dict", "model", "model_state_dict")
"""Where checkpoints keep their weights: mmengine, timm and Lightning; detectron2; plain torch loops."""
DEEPEST = 4
"""Levels of entries that are looked through."""
_NO_WEIGHTS = ("optim", "sched", "lr_", "scaler", "amp", "meta", "message_hub", "rng", "callbacks", "loops", "hyper")
"""How entries begin that hold tensors or numbers of the training, not of a model."""


class EntryError(ValueError):
    """No entry, or several, with weights."""


def find_weights(content: Mapping[Any, Any], entry: str | None = None) -> tuple[str, Mapping[Any, Any]]:
    """The dictionary of tensors in the content of a checkpoint.

    Args:
        content: What was read from the file.
        entry: Its entry with the weights, or the path of one within others (``model.state_dict``). If None: the one of
            `ENTRIES` that is there, and in it likewise; else the content itself, if it holds tensors; else the only
            entry that holds some.

    Returns:
        The path of the entry, empty for the content itself; and the entry.

    Raises:
        EntryError: If there is no such entry, or none or several with weights: lists those that there are.

    Example:
        >>> find_weights({"model": {"state_dict": {"conv1.weight": Tensor([1.0])}}, "epoch": 3})[0]
        'model.state_dict'
    """
    if entry is not None:
        return _named(content, entry)
    path: list[str] = []
    found = content
    while len(path) < DEEPEST:
        usual = [key for key in ENTRIES if isinstance(found.get(key), Mapping)]
        if len(usual) > 1:
            choices = [".".join([*path, key]) for key in usual]
            raise EntryError(f"has weights in {' and '.join(choices)}: say which with entry={choices[0]!r}.")
        if not usual:
            break
        path.append(usual[0])
        found = found[usual[0]]
    if any(map(_is_tensor, found.values())):
        return ".".join(path), found
    others = dict(_weight_entries(found, path))
    if len(others) == 1:
        return next(iter(others.items()))
    where = f" in {'.'.join(path)!r}" if path else ""
    if not others:
        raise EntryError(f"holds no tensors{where}: it is not a checkpoint, or of an unknown form.")
    raise EntryError(
        f"holds no tensors{where} but in entries of it: say where its weights are with entry={next(iter(others))!r}, of"
        f" {', '.join(others)}."
    )


def entries_with_weights(content: Mapping[Any, Any]) -> list[str]:
    """Paths of all entries that hold tensors, without those of optimizers and the like.

    Example:
        >>> weights = {"conv1.weight": Tensor([1.0])}
        >>> entries_with_weights({"state_dict": weights, "state_dict_ema": weights, "optimizer": weights})
        ['state_dict', 'state_dict_ema']
    """
    return [path for path, _ in _weight_entries(content, [])]


def _named(content: Mapping[Any, Any], entry: str) -> tuple[str, Mapping[Any, Any]]:
    found: Any = content.get(entry)
    if not isinstance(found, Mapping):
        found = content
        for key in entry.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        held = [str(key) for key, value in content.items() if isinstance(value, Mapping)]
        held += [path for path, _ in _weight_entries(content, []) if path not in held]
        raise EntryError(f"has no entry {entry!r}; it has {', '.join(held) or 'one dictionary only'}.")
    if not any(map(_is_tensor, found.values())):
        inner = [path for path, _ in _weight_entries(found, [entry])]
        hint = f" Its own entries with tensors are {', '.join(inner)}." if inner else ""
        raise EntryError(f"holds no tensors in {entry!r}.{hint}")
    return entry, found


def _weight_entries(content: Mapping[Any, Any], path: list[str]) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Path and content of the entries that hold tensors, without those of optimizers and the like."""
    if len(path) >= DEEPEST:
        return
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Mapping) or key.lower().startswith(_NO_WEIGHTS):
            continue
        if any(map(_is_tensor, value.values())):
            yield ".".join([*path, key]), value
        else:
            yield from _weight_entries(value, [*path, key])


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor | np.ndarray)
