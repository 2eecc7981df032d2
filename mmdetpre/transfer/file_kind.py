"""What a file is that is not a checkpoint, in words that lead to one."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras and TensorFlow write it: its network is none of PyTorch's"),
    (b"\x93NUMPY", "one NumPy array (.npy), and a backbone is many: save a dictionary of tensors"),
    (b"\x1f\x8b", "a gzip archive: unpack it (gunzip, or tar xzf) and give the file inside"),
    (b"BZh", "a bzip2 archive: unpack it and give the file inside"),
    (b"\xfd7zXZ\x00", "an xz archive: unpack it and give the file inside"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it and give the file inside"),
    (b"Rar!", "a RAR archive: unpack it and give the file inside"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive: unpack it and give the file inside"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself: fetch it with git lfs pull"),
    (b"GGUF", "a GGUF file of a language model"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_WEIGHTS = (".pth", ".pt", ".tar", ".pkl", ".safetensors", ".params", ".bin", ".ckpt")


def other_kind(path: str | os.PathLike[str], start: bytes) -> str | None:
    """What a file is, if it is known to be something else than a checkpoint, and what to do; None if it is not known.

    Args:
        path: The file.
        start: Its first 512 bytes.

    Example:
        >>> other_kind("model.h5", b"\\x89HDF\\r\\n\\x1a\\n" + bytes(504))
        "an HDF5 file, as Keras and TensorFlow write it: its network is none of PyTorch's"
    """
    if not start:
        return "empty: copy or download it again"
    if start[8:9] == b"{":
        return None  # safetensors, whose first bytes are a length and may be anything
    if start.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path)
    for known, kind in _STARTS:
        if start.startswith(known):
            return kind
    if start[257:262] == b"ustar":
        return "a tar archive: unpack it (tar xf) and give the file inside"
    if start[4:8] == b"TFL3":
        return "a TensorFlow Lite model: its network is none of PyTorch's"
    if start[:1] == b"\x08" and (Path(path).suffix.lower() == ".onnx" or b"pytorch" in start or b"onnx" in start):
        return "an ONNX model, whose weights have other names: take the checkpoint that it was made from"
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page or XML: the download was answered by a page; fetch the file itself"
    if text.startswith(b"{"):
        index = b"weight_map" in start or b"safetensors" in start
        return (
            "JSON: the index of weights in several files, whose name ends in .index.json"
            if index
            else "JSON, and no weights"
        )
    return None


def _kind_of_zip(path: str | os.PathLike[str]) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile):
        return None  # cut off or damaged, which its reader tells
    inner = {name.partition("/")[2] for name in names}
    if any(name.startswith("code/") for name in inner) or "constants.pkl" in inner:
        return (
            "a TorchScript archive (torch.jit.save), which holds a program: load it where it was made and save its"
            " weights alone, torch.save(torch.jit.load(path).state_dict(), path)"
        )
    if "archive_format" in inner or "serialized_exported_program.json" in names:
        return (
            "an exported program (torch.export.save, .pt2): load it where it was made and save its weights alone,"
            " torch.save(torch.export.load(path).state_dict, path)"
        )
    if "data.pkl" in inner:
        return None
    if names and all(name.endswith(".npy") for name in names):
        return (
            "an archive of NumPy arrays (.npz): save them as tensors, torch.save({name: torch.from_numpy(array) for"
            " name, array in numpy.load(path).items()}, 'weights.pth')"
        )
    if any(name.endswith("model.weights.h5") for name in names):
        return "a Keras model: its network is none of PyTorch's"
    return _kind_of_archive(names)


def _kind_of_archive(names: Sequence[str]) -> str:
    files = [name for name in names if not name.endswith("/") and not name.startswith("__MACOSX/")]
    weights = [name for name in files if name.lower().endswith(_WEIGHTS)]
    if weights:
        return f"a zip archive with {', '.join(weights[:3])} inside: unpack it and give that file"
    some = ", ".join(files[:3]) + (", ..." if len(files) > 3 else "")
    return f"a zip archive of {some or 'nothing'}, and no checkpoint"
