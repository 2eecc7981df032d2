"""Reads files of ``torch.save`` as data: what a file may name and announce is checked before torch reads it."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from mmdetpre.checkpoints.pickle_bounds import MOST_PARTS, Parts, Within
from mmdetpre.checkpoints.safety import allowed_globals, strict_loading
from mmdetpre.utils.bounded_files import MIB

PLAIN = {
    *("collections.OrderedDict", "collections.Counter", "_codecs.encode", "builtins.set", "builtins.complex"),
    *("torch.Size", "torch.device", "torch.nn.parameter.Parameter", "torch.serialization._get_layout"),
    *(f"torch._utils._rebuild_{kind}" for kind in ("tensor", "tensor_v2", "tensor_v3", "parameter")),
}
"""What a file may name besides `allowed_globals`, storages and types of numbers: dense tensors and plain containers.

Less than torch's own list, which also has what takes memory by a number in the file, such as ``bytearray``.
"""
MOST_UNPACKED = 16
"""How many times larger than the file what it holds may be: shared weights count once for each name."""
_FORGED = (LookupError, TypeError, AttributeError, AssertionError, OverflowError, RecursionError, MemoryError)
"""What torch and NumPy raise for arguments that no checkpoint has."""
_LEGACY_PICKLES = 5


class NotPlainData(pickle.UnpicklingError):
    """A checkpoint that is more than data, or announces more than it holds; it was not read."""


def read_torch_file(path: str | os.PathLike[str], map_location: Any = "cpu", mapped: bool = False) -> Any:
    """The content of a file of ``torch.save``, by ``torch.load(weights_only=True)`` with `allowed_globals`.

    Args:
        path: Local path.
        map_location: As for ``torch.load``.
        mapped: Leave tensors in the file until they are used, where the file allows it.

    Raises:
        NotPlainData: If it names anything but tensors, numbers, plain containers and mmengine's log, or announces
            tensors far larger than itself. Nothing of it was run.
        RuntimeError, EOFError, OSError, ValueError: If torch cannot read it.
    """
    path, size = os.fspath(path), Path(path).stat().st_size
    with open(path, "rb") as file:
        packed = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        for _ in range(0 if packed else _LEGACY_PICKLES):
            check_pickle(Within(file))  # type: ignore[arg-type]
    mapped = packed and _check_archive(path, size) and mapped
    try:
        with strict_loading():
            content = torch.serialization.load(path, map_location=map_location, weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:  # torch's message advises to switch the protection off
        raise NotPlainData(first_reason(str(error))) from None
    except _FORGED as error:
        raise EOFError(f"it is cut off or damaged ({type(error).__name__}: {error})") from error
    if (announced := _tensor_bytes(content)) > _most(size):
        raise NotPlainData(
            f"tensors of {announced / MIB:,.0f} MiB in a file of {size / MIB:,.1f} MiB, which are one value over and"
            " over: filled in, they take all memory. Save them with .contiguous()"
        )
    return content


def first_reason(message: str) -> str:
    """What torch found, without its advice to load the file all the same."""
    found = re.search(r"(?:Unsupported (?:global|operand|class)|The checkpoint holds|Trying to)[^\n]*", message)
    found = found or re.search(r"WeightsUnpickler error:[^\n]*", message)
    return re.sub(r" was not an allowed global by default.*", "", found[0]) if found else message.split("\n")[0]


def check_pickle(file: IO[bytes]) -> None:
    """Look through one pickle of a file, up to its end, for names that are not data, and for lists that hold one list
    over and over: torch and Python write out, compare and hash every copy of it.

    Raises:
        NotPlainData: If there is one.
        EOFError: If the file is cut off.
    """
    known, parts = PLAIN | {name for _, name in allowed_globals()}, Parts()
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "GLOBAL":
                name = str(argument).replace("__builtin__ ", "builtins ", 1).replace(" ", ".", 1)
                if name not in known and not _number_type(name):
                    raise NotPlainData(f"a reference to {name[:200]}, which is not data")
            if opcode.name in ("INST", "OBJ", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX", "PERSID"):
                raise NotPlainData(f"an instruction {opcode.name}, which torch.save does not write")
            parts.add(opcode, argument)
        if parts.largest() > MOST_PARTS:
            raise NotPlainData("lists that hold the same lists over and over, or themselves, without a bound")
    except NotPlainData:
        raise
    except pickle.UnpicklingError as error:
        raise EOFError(f"it is cut off or damaged ({error})") from error
    except (ValueError, UnicodeDecodeError, OverflowError) as error:  # of pickletools, for bytes that are not a pickle
        raise EOFError(f"it is cut off or damaged ({error})") from error


def _check_archive(path: str, size: int) -> bool:
    """Whether the tensors of an archive can stay in the file, where every record is as it was saved."""
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            if (unpacked := sum(record.file_size for record in records)) > _most(size):
                raise NotPlainData(
                    f"{unpacked / MIB:,.0f} MiB, packed into {size / MIB:,.1f}: no checkpoint packs like that"
                )
            pickles = [record for record in records if re.fullmatch(r"[^/]*/?data\.pkl", record.filename)]
            for record in pickles:
                check_pickle(io.BytesIO(archive.read(record)))
            if len(pickles) != 1:
                raise EOFError(f"it is an archive with {len(pickles)} files data.pkl: torch.save writes one")
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise EOFError(f"it is cut off or damaged ({error})") from error
    return all(record.compress_type == zipfile.ZIP_STORED for record in records)


def _number_type(name: str) -> bool:
    """Whether a name is that of a storage or of a type of numbers."""
    if re.fullmatch(r"torch\.(storage\.)?[A-Z][A-Za-z0-9]*Storage", name):
        return True
    module, _, last = name.rpartition(".")
    return module == "torch" and isinstance(getattr(torch, last, None), torch.dtype)


def _most(size: int) -> int:
    return MOST_UNPACKED * size + 64 * MIB


def _tensor_bytes(content: Any) -> int:
    total, seen, left = 0, set(), [content]
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            total += value.numel() * value.element_size()
        elif isinstance(value, Mapping):
            left.extend(value.values())
        elif isinstance(value, list | tuple | set) and isinstance(value, Iterable):
            left.extend(value)
    return total
