"""A split of images in class folders: random with a seed, or read from a list."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from mmdetpre.datasets.classification.class_folders import ClassImages, shown
from mmdetpre.datasets.images.lists import file_statuses
from mmdetpre.datasets.images.photo_names import PhotoFolder
from mmdetpre.utils.text_files import Line, read_lines
from mmdetpre.utils.whole_file import write_text

_EXAMPLE = "FOLDER/FILE, 001.ak47/001_0001.jpg"


def split_images(images: ClassImages, per_class: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Choose ``per_class`` training images of every class; the others are test images.

    An image's rank in its class is that of the SHA-256 of ``seed/folder/file`` (UTF-8); the first ``per_class`` are
    chosen. So the split depends on names and seed only: on no random generator, no order of files, no other class. A
    split with a smaller ``per_class`` is a part of the larger one.

    Args:
        images: Image files of each class folder.
        per_class: Number of training images of each class.
        seed: Seed of the split.

    Returns:
        ``folder/file`` of the training images and of the test images, each sorted.

    Raises:
        ValueError: If ``per_class`` is below 1, or a class has no test image left.

    Example:
        >>> split_images({"cat": ["1.jpg", "2.jpg", "3.jpg"]}, per_class=2)
        (['cat/1.jpg', 'cat/3.jpg'], ['cat/2.jpg'])
    """
    if per_class < 1:
        raise ValueError(f"per_class is {per_class}: give at least 1 training image per class.")
    if small := [f"{name} ({len(files)})" for name, files in images.items() if len(files) <= per_class]:
        raise ValueError(
            f"{len(small)} of {len(images)} classes have fewer than {per_class + 1} images, which per_class={per_class}"
            f" needs to leave one to test on: {shown(small)}. Set per_class lower, or add the missing images."
        )
    train, test = [], []
    for folder, files in images.items():
        paths = sorted((f"{folder}/{file}" for file in files), key=lambda path: _rank(seed, path))
        train += sorted(paths[:per_class])
        test += sorted(paths[per_class:])
    return train, test


def read_split(file: str | os.PathLike, root: str | os.PathLike, images: ClassImages) -> list[str]:
    """``folder/file`` of a split's images, one per line.

    A line means the image of exactly this name; where there is none, the one that it names without blanks around it,
    with slashes for backslashes, and without what leads to ``root``; else the only one whose name differs in form
    alone, see `mmdetpre.datasets.images.photo_names.PhotoFolder`.

    Args:
        file: The list.
        root: Folder of the class folders.
        images: Images of each class folder there.

    Raises:
        FileNotFoundError: If there is no such list, or it names images that are not there.
        ValueError: If a line is no ``folder/file``, an image is named twice, or there is none.

    Example:
        >>> read_split("train.txt", "pets", {"cat": ["1.jpg"]})
        ['cat/1.jpg']
    """
    known = {f"{folder}/{name}" for folder, names in images.items() for name in names}
    lines = read_lines(file, f"a text file with one {_EXAMPLE}, per line")
    found = [_meant(line, str(file), Path(root), known) for line in lines]
    if not found:
        raise ValueError(f"{file} names no image: each line names one as {_EXAMPLE}.")
    if not known.issuperset(found):
        found = _other_forms(root, found, known)
    if not known.issuperset(found):
        _require_there(file, root, found, known, images)
    if twice := [path for path, count in Counter(found).items() if count > 1]:
        raise ValueError(f"{file} names {twice[0]} more than once: remove the repeated lines.")
    return found


def write_split(file: str | os.PathLike, paths: Iterable[str]) -> None:
    """Write ``folder/file`` of a split's images, one per line; the inverse of `read_split`."""
    write_text(file, "".join(f"{path}\n" for path in paths))


def _meant(line: Line, file: str, root: Path, known: set[str]) -> str:
    """The known image that a line means, else its path in the usual form."""
    if line.text in known:
        return line.text
    path = PurePosixPath(line.text.strip().replace("\\", "/"))
    if path.is_absolute() and path.is_relative_to(root.absolute()):
        path = path.relative_to(root.absolute())
    elif len(path.parts) > 2 and path.parts[0] == root.name and str(path) not in known:
        path = path.relative_to(root.name)
    if len(path.parts) < 2 or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{file}, line {line.number}: {line.text[:80]!r}: each names one image as {_EXAMPLE}.")
    return str(path)


def _other_forms(root: str | os.PathLike, found: list[str], known: set[str]) -> list[str]:
    """The images with known ones for those that differ in upper and lower case, forms of Unicode, suffix ..."""
    unknown = [path for path in found if path not in known]
    photos = PhotoFolder(root).find(unknown)
    meant = {path: name for path, name in zip(unknown, photos.names, strict=True) if name in known}
    return [meant.get(path, path) for path in found]


def _require_there(
    file: str | os.PathLike, root: str | os.PathLike, found: list[str], known: set[str], images: Mapping
) -> None:
    """Refuse images that no file is there for, or that are in no class folder."""
    if strange := sorted({path.split("/")[0] for path in found} - set(images)):
        raise ValueError(
            f"{file} names the folder {strange[0]}, which is not a class of this data set: {root} holds"
            f" {shown(list(images))}."
        )
    try:
        file_statuses([os.path.join(root, path) for path in found], named_by=str(file))
    except FileNotFoundError as error:
        missing = next(path for path in found if not os.path.exists(os.path.join(root, path)))
        folded = {path.casefold(): path for path in sorted(known)}
        near = [folded[path] for path in difflib.get_close_matches(missing.casefold(), folded, n=1)]
        raise FileNotFoundError(f"{error}" + (f"\n  Nearest to the first: {near[0]}" if near else "")) from None


def _rank(seed: int, path: str) -> bytes:
    return hashlib.sha256(f"{seed}/{path}".encode()).digest()
