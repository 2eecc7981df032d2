"""Logged values that are read from a GPU when somebody looks at them, not at every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from mmengine.hooks import RuntimeInfoHook
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import Runner

from mmdetpre.hooks.late_values import LateValues, is_late
from mmdetpre.registry import HOOKS

_MOST_STEPS = 1000
"""Steps whose values wait on the device at most, where nobody ever looks."""


class LateHistory(HistoryBuffer):
    """A history whose latest values are fetched when it is read. Its copies and its pickle are a plain one.

    Args:
        known: What has been logged so far.
        fetch: Updates the history with what is missing.
    """

    def __init__(self, known: HistoryBuffer, fetch: Callable[[], None]) -> None:
        self._fetch = fetch
        super().__init__(*known.data, max_length=known.max_length)

    @property
    def _log_history(self) -> np.ndarray:  # the one attribute that all statistics of a history read
        self._fetch()
        return self._values

    @_log_history.setter
    def _log_history(self, values: np.ndarray) -> None:
        self._values = values

    @property
    def _count_history(self) -> np.ndarray:
        self._fetch()
        return self._counts

    @_count_history.setter
    def _count_history(self, counts: np.ndarray) -> None:
        self._counts = counts

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return HistoryBuffer, (*self.data, self.max_length)


@HOOKS.register_module()
class LateRuntimeInfoHook(RuntimeInfoHook):
    """mmengine's ``RuntimeInfoHook``, which makes the host wait for a GPU once per value and step.

    Here a step copies its losses on the device. Whoever reads a value from the message hub, the log every ``interval``
    steps, a checkpoint, or any other hook, fetches all that are missing, by one transfer. So everybody sees the values,
    means over windows included, that they would see from mmengine's hook. On a CPU there is nothing to wait for, and
    values are read at once.

    Example:
        ``default_hooks = dict(runtime_info=dict(type="mmdetpre.LateRuntimeInfoHook"))``
    """

    def __init__(self) -> None:
        self._late = LateValues()
        self._hub: MessageHub

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Notes the values of a step.

        Args:
            runner: The runner.
            batch_idx: Index of the batch in the epoch.
            data_batch: Not used.
            outputs: Values by name.
        """
        self._hub = runner.message_hub
        late = {}
        for name, value in (outputs or {}).items():
            key = f"train/{name}"
            if is_late(value) and isinstance(self._hub.log_scalars.get(key), LateHistory):
                late[key] = value
                continue
            self._hub.update_scalar(key, value)
            if is_late(value):  # the first one: now the hub knows the key
                self._hub.log_scalars[key] = LateHistory(self._hub.log_scalars[key], self._fetch)
        if late:
            self._late.add(late)
        if len(self._late) >= _MOST_STEPS:
            self._fetch()

    def _fetch(self) -> None:
        for step in self._late.take():
            for key, value in step.items():
                self._hub.log_scalars[key].update(value)
