"""Values of training steps that a GPU has yet to compute, read together: to read one makes the host wait for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import torch
from torch import Tensor


def is_late(value: Any) -> TypeGuard[Tensor]:
    """Whether a logged value is a number on a device, for which the host would have to wait."""
    return isinstance(value, Tensor) and value.device.type != "cpu" and value.numel() == 1 and value.is_floating_point()


class LateValues:
    """The values of several steps, each as it was when it was added.

    Example:
        >>> late = LateValues()
        >>> late.add({"loss": torch.tensor(2.0), "acc": 0.5})
        >>> late.add({"loss": torch.tensor(1.0)})
        >>> late.take(), late.take()
        ([{'loss': 2.0, 'acc': 0.5}, {'loss': 1.0}], [])
    """

    def __init__(self) -> None:
        self._steps: list[tuple[dict[str, float], list[str], Tensor | None]] = []

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, values: Mapping[str, Any]) -> None:
        """Keeps the values of a step, numbers or tensors of one number; what is late is copied on its device."""
        late = {name: value for name, value in values.items() if is_late(value)}
        known = {
            name: value.item() if isinstance(value, Tensor) else value
            for name, value in values.items()
            if name not in late
        }
        copied = torch.stack([value.detach().reshape(()) for value in late.values()]) if late else None
        self._steps.append((known, list(late), copied))

    def take(self) -> list[dict[str, float]]:
        """The values of all steps since the last call, in their order, after one wait at most."""
        steps, self._steps = self._steps, []
        copies = [copied for _, _, copied in steps if copied is not None]
        numbers = iter(torch.cat(copies).tolist() if copies else ())
        return [{**known, **{name: next(numbers) for name in late}} for known, late, _ in steps]
