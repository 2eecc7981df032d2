"""Reads pickled NumPy arrays, as in detectron2's ``.pkl`` files, without running what the file says.

A pickle names functions to call while it is read. Here only the five that rebuild an array of numbers are known, and
they are stand-ins that check what they are given; anything else stops the reading before it is called.
"""

from __future__ import annotations

import codecs
import pickle
import pickletools
import reprlib
from collections import OrderedDict
from typing import IO, Any

import numpy as np

from mmdetpre.checkpoints.pickle_bounds import MOST_PARTS, Parts, Within
from mmdetpre.checkpoints.safety import StoredArray, StoredDtype, empty_bytes, stored_scalar


class Latin1Array(StoredArray):
    """A ``StoredArray`` that also takes contents written by Python 2, which arrive as latin-1 text."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) == 5 and isinstance(state[4], str):
            state = (*state[:4], state[4].encode("latin1"))
        super().__setstate__(state)


def new_array(kind: Any, shape: Any, typecode: Any) -> Latin1Array:
    """Stands for NumPy's ``_reconstruct``.

    Args:
        kind: Must be the class that stands for ``numpy.ndarray``.
        shape: Must be ``(0,)``.
        typecode: Not used.

    Raises:
        UnpicklingError: If anything but a plain, empty array is asked for.
    """
    if kind is not Latin1Array or shape != (0,):
        raise pickle.UnpicklingError(f"an array of kind {reprlib.repr(kind)} and shape {reprlib.repr(shape)}")
    return Latin1Array()


def array_of_buffer(raw: Any, stored: Any, shape: Any, order: Any = "C") -> np.ndarray:
    """Stands for NumPy's ``_frombuffer``, which pickle protocol 5 uses.

    Args:
        raw: The bytes.
        stored: The dtype.
        shape: The shape.
        order: "C" or "F".

    Raises:
        UnpicklingError: If the contents are not numbers.
    """
    if not isinstance(raw, bytes | bytearray) or not isinstance(stored, StoredDtype) or order not in ("C", "F"):
        raise pickle.UnpicklingError("an array with contents that are not numbers")
    return np.frombuffer(raw, dtype=stored.dtype).reshape(shape, order=order)


def encoded(text: Any, encoding: Any = "latin1") -> bytes:
    """Stands for ``_codecs.encode``, by which Python 3 writes bytes for Python 2.

    Raises:
        UnpicklingError: If the text or its encoding is another.
    """
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("bytes in an unknown encoding")
    return codecs.encode(text, "latin1")


KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): Latin1Array,
    ("numpy", "dtype"): StoredDtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): encoded,
    ("builtins", "bytes"): empty_bytes,
    ("__builtin__", "bytes"): empty_bytes,
}
for _module in ("numpy.core.", "numpy._core."):
    KNOWN[(f"{_module}multiarray", "_reconstruct")] = new_array
    KNOWN[(f"{_module}multiarray", "scalar")] = stored_scalar
    KNOWN[(f"{_module}numeric", "_frombuffer")] = array_of_buffer


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that knows plain containers and arrays of numbers."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for one name.

        Raises:
            UnpicklingError: For every name not in `KNOWN`.
        """
        try:
            return KNOWN[(module, name)]
        except KeyError:
            raise pickle.UnpicklingError(f"a reference to {module}.{name}, which is not an array of numbers") from None


def load_arrays(file: IO[bytes]) -> Any:
    """The pickled object: plain containers, texts, numbers and arrays.

    Raises:
        pickle.UnpicklingError: If the file is not a pickle, is cut off, or holds anything else.
    """
    try:
        _check_lengths(file)
        return ArrayUnpickler(file, encoding="latin1").load()
    except pickle.UnpicklingError:
        raise
    except (EOFError, ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        raise pickle.UnpicklingError(f"a damaged pickle ({error})") from error
    except (RecursionError, MemoryError) as error:
        raise pickle.UnpicklingError(f"a pickle of which no data can be made ({type(error).__name__})") from error


def _check_lengths(file: IO[bytes]) -> None:
    file.seek(0)
    within, parts = Within(file), Parts()
    for count, (opcode, value, _) in enumerate(pickletools.genops(within)):  # type: ignore[arg-type]
        most = {"FRAME": within.size, "PUT": count, "BINPUT": count, "LONG_BINPUT": count}.get(opcode.name)
        if most is not None and int(value or 0) > most:
            raise pickle.UnpicklingError(f"an instruction {opcode.name} {value} in a file of {within.size} bytes")
        parts.add(opcode, value)
    if parts.largest() > MOST_PARTS:
        raise pickle.UnpicklingError("lists that hold the same lists over and over, or themselves, without a bound")
    file.seek(0)
