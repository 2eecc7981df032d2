"""What a checkpoint of mmengine may hold while ``torch.load(weights_only=True)`` keeps its protection.

Since 2.6 torch unpickles tensors and plain containers only. A checkpoint of ``mmengine.Runner`` also holds the training
log: ``HistoryBuffer`` objects around NumPy arrays, each with a table of its statistics, which pickle writes as
``getattr(HistoryBuffer, "mean")``. This module allows exactly that, through stand-ins that check what they are given:
``getattr`` knows four names, and arrays and scalars hold numbers. No other attribute, class or function comes in reach.
They are known to torch while `strict_loading` is open, and not to other code of the process.
"""

from __future__ import annotations

import os
import re
import reprlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

try:
    from mmengine.logging import HistoryBuffer
except ModuleNotFoundError:  # who reads weights alone need not have it

    class HistoryBuffer:  # type: ignore[no-redef]
        """Stands for mmengine's: what a training has logged is read as data, and has no statistics."""

        def _set_default_statistics(self) -> None:
            """There are none."""

        def min(self, *arguments: Any) -> float:
            """Not without mmengine."""
            raise ModuleNotFoundError("the statistics of a training log need mmengine: pip install mmengine")

        max = current = mean = min


_SWITCHES = ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
_ONE_AT_A_TIME = threading.RLock()
STATISTICS = ("min", "max", "current", "mean")
"""The methods of ``HistoryBuffer`` that a checkpoint may refer to."""


class StoredHistoryBuffer(HistoryBuffer):
    """Stands for ``HistoryBuffer`` while a checkpoint is read: checks the state, then becomes a plain one."""

    def __setstate__(self, state: Any) -> None:
        _require(isinstance(state, dict), f"a HistoryBuffer with a state of type {type(state).__name__}")
        state = dict(state)
        statistics = state.pop("statistics_methods", {})
        _require(isinstance(statistics, dict), f"a HistoryBuffer with statistics of type {type(statistics).__name__}")
        for name, method in statistics.items():
            known = name in STATISTICS and method is getattr(HistoryBuffer, name)
            _require(known, f"a HistoryBuffer with a statistic {_short(name)} that mmengine does not define")
        expected = {"_log_history": np.ndarray, "_count_history": np.ndarray, "max_length": int}
        for name, value in state.items():
            known = name in expected and isinstance(value, expected[name])
            _require(known, f"a HistoryBuffer with an attribute {_short(name)} of type {type(value).__name__}")
            state[name] = np.array(value) if isinstance(value, np.ndarray) else value
        self._set_default_statistics()
        self.__dict__.update(state)
        self.__class__ = HistoryBuffer


class StoredDtype:
    """Stands for ``numpy.dtype`` while a checkpoint is read: booleans, integers, real and complex numbers only.

    Args:
        spec: Kind and size, such as "f4".
        align: Not used.
        copy: Not used.

    Raises:
        UnpicklingError: If it is another type.
    """

    def __init__(self, spec: Any, align: Any = False, copy: Any = False) -> None:
        known = isinstance(spec, str) and re.fullmatch(r"[biufc][0-9]{1,2}", spec) is not None
        _require(known, f"a NumPy array of type {_short(spec)}, which is not a plain number")
        self.dtype = np.dtype(spec)

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, subarray, names, fields, item size, alignment, flags[, metadata]): for a plain number,
        # only the byte order carries anything.
        _require(
            isinstance(state, tuple)
            and len(state) in (8, 9)
            and state[1] in ("<", ">", "|", "=")
            and state[2:5] == (None, None, None)
            and state[7] == 0,
            f"a NumPy type with the state {_short(state)}",
        )
        self.dtype = self.dtype.newbyteorder(state[1])


class StoredArray(np.ndarray):
    """Stands for ``numpy.ndarray`` while a checkpoint is read: an array of numbers. It pickles as a plain array."""

    def __new__(cls) -> StoredArray:
        return super().__new__(cls, (0,), dtype=np.int8)

    def __setstate__(self, state: Any) -> None:
        _require(
            isinstance(state, tuple)
            and len(state) == 5
            and isinstance(state[2], StoredDtype)
            and isinstance(state[4], bytes),
            "a NumPy array with contents that are not numbers",
        )
        version, shape, stored, fortran, raw = state
        super().__setstate__((version, shape, stored.dtype, fortran, raw))

    def __reduce__(self) -> Any:
        return np.array(self).__reduce__()


def history_statistic(owner: Any, name: Any, *default: Any) -> Callable[..., float]:
    """Stands for ``getattr`` while a checkpoint is read: gives the statistics of ``HistoryBuffer`` and nothing else.

    Args:
        owner: The object that the checkpoint asks for an attribute.
        name: The attribute.
        default: A value for objects without the attribute; mmengine writes none.

    Raises:
        UnpicklingError: For any other object or name.
    """
    history = owner is StoredHistoryBuffer or owner is HistoryBuffer
    known = history and isinstance(name, str) and name in STATISTICS and not default
    _require(known, f"a reference to getattr({_short(owner)}, {_short(name)})")
    return getattr(HistoryBuffer, name)


def stored_array(kind: Any, shape: Any, typecode: Any) -> StoredArray:
    """Stands for NumPy's ``_reconstruct``: the empty array that the contents are read into.

    Args:
        kind: Must be the class that stands for ``numpy.ndarray``.
        shape: Must be ``(0,)``.
        typecode: Not used.

    Raises:
        UnpicklingError: If anything but a plain, empty array is asked for.
    """
    plain = kind is StoredArray or kind is np.ndarray
    _require(
        plain and isinstance(shape, tuple) and shape == (0,),
        f"an array of kind {_short(kind)} and shape {_short(shape)}",
    )
    return StoredArray()


def stored_scalar(stored: Any, raw: Any) -> np.generic:
    """Stands for NumPy's ``scalar``: one number from its bytes.

    Raises:
        UnpicklingError: If it is not a number.
    """
    known = isinstance(stored, StoredDtype) and isinstance(raw, bytes) and len(raw) == stored.dtype.itemsize
    _require(known, "a NumPy scalar that is not a number")
    return np.frombuffer(raw, dtype=stored.dtype)[0]


def empty_bytes() -> bytes:
    """Stands for ``bytes`` while a checkpoint is read: pickle writes the contents of an empty array as ``bytes()``."""
    return b""


def allowed_globals() -> list[tuple[Any, str]]:
    """What may be unpickled besides torch's own list: pairs of the stand-in and the name that a checkpoint uses."""
    allowed: list[tuple[Any, str]] = [
        (StoredHistoryBuffer, "mmengine.logging.history_buffer.HistoryBuffer"),
        (history_statistic, "builtins.getattr"),
        (StoredArray, "numpy.ndarray"),
        (StoredDtype, "numpy.dtype"),
        (empty_bytes, "builtins.bytes"),
    ]
    for module in (
        "numpy.core.multiarray",
        "numpy._core.multiarray",
    ):  # NumPy 1 and 2: either may have written the file
        allowed += [(stored_array, f"{module}._reconstruct"), (stored_scalar, f"{module}.scalar")]
    return allowed


@contextmanager
def strict_loading() -> Iterator[None]:
    """While it is open, every ``torch.load`` of the process unpickles data only, and knows `allowed_globals` alone.

    That holds whatever its caller asks for: some of the functions by which mmengine fetches files, and versions of it
    other than 0.10, switch torch's protection off. What others have told torch to trust is set aside: ``getattr``
    itself, which recipes for mmengine's checkpoints name, would let a file reach and change any module. One thread at a
    time is inside; it may enter again, and then what was trusted in between is set aside too.
    """
    with _ONE_AT_A_TIME:
        before = {name: os.environ.pop(name, None) for name in _SWITCHES}
        os.environ[_SWITCHES[0]] = "1"
        trusted = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(allowed_globals())  # type: ignore[arg-type]
        try:
            yield
        finally:
            torch.serialization.clear_safe_globals()
            torch.serialization.add_safe_globals(trusted)
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def _require(condition: bool, found: str) -> None:
    if not condition:
        raise UnpicklingError(
            f"The checkpoint holds {found}. mmengine's Runner.save_checkpoint writes numbers, tensors, plain containers"
            f" and HistoryBuffers with {', '.join(STATISTICS)}: the file has another origin or was tampered with."
            " If it is your own, save it again with plain Python values in place of what is named above."
        )


def _short(value: Any) -> str:
    """What a file holds, for a message: lists of lists of one and the same list have endless texts."""
    return reprlib.repr(value)
