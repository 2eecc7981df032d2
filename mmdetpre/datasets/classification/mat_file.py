"""Lists of numbers in files of MATLAB, as some data sets ship their splits."""

from __future__ import annotations

import io
import os

import numpy as np
import scipy.io

from mmdetpre.utils.bounded_files import MIB, read_bounded


def read_whole_numbers(path: str | os.PathLike, name: str) -> list[int]:
    """The whole numbers of a variable, in order.

    Args:
        path: File of MATLAB 5 to 7, of at most 64 MiB.
        name: The variable.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, does not have the variable, or this holds something else.

    Example:
        >>> read_whole_numbers("setid.mat", "trnid")[:2]
        [6765, 6755]
    """
    data = read_bounded(path, 64 * MIB)
    try:
        found = scipy.io.loadmat(io.BytesIO(data), variable_names=[name]).get(name)
    except Exception as error:  # scipy raises TypeError, ValueError, zlib.error, MemoryError ... for damaged files
        raise ValueError(
            f"{os.fspath(path)} cannot be read as a file of MATLAB ({error or type(error).__name__}): it is damaged,"
            " cut off, or another kind of file."
        ) from error
    if found is None:
        raise ValueError(f"{os.fspath(path)} has no variable {name!r}: take the file of the release.")
    numbers = np.asarray(found)
    if numbers.dtype.kind not in "iuf" or not np.all(np.isfinite(numbers)) or np.any(numbers != np.floor(numbers)):
        raise ValueError(f"{os.fspath(path)}: {name} holds {numbers.dtype} values, expected whole numbers.")
    return [int(value) for value in numbers.ravel()]
