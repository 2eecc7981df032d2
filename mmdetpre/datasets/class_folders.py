"""Images in one folder per class, and a split of them that is the same on every machine."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mmdetpre.whole_file import write_text

IMAGE_FILE = re.compile(r"[^/]+/.+\.(jpe?g|png|bmp|ppm|pgm|tiff?|webp)", re.IGNORECASE)
"""``folder/file`` of an image."""
ANY_FOLDER = re.compile(r"[^.].*")
"""Every folder that is not hidden."""

ClassImages = Mapping[str, Sequence[str]]
"""Folder of each class, in label order -> file names in it."""

_SHOWN = 8


def list_class_folders(
    root: str | os.PathLike, folder: re.Pattern[str] = ANY_FOLDER, image: re.Pattern[str] = IMAGE_FILE
) -> dict[str, list[str]]:
    """The images of every class, both sorted by name.

    Args:
        root: Folder of the class folders.
        folder: What the name of a class folder matches as a whole; other folders are passed over.
        image: What ``folder/file`` of an image matches as a whole; other files and folders are passed over.

    Raises:
        FileNotFoundError: If there is no such root, or no class folder in it.
        ValueError: If a class folder holds no image.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for name in ("cat", "dog"):
        ...     (root / name).mkdir()
        ...     (root / name / "1.jpg").touch()
        >>> list_class_folders(root)
        {'cat': ['1.jpg'], 'dog': ['1.jpg']}
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}: it has to hold one folder of images per class.")
    folders = sorted(path.name for path in root.iterdir() if folder.fullmatch(path.name) and path.is_dir())
    if not folders:
        raise FileNotFoundError(f"{root} holds no class folder: it needs one folder of images per class.")
    images = {
        name: sorted(file for file in os.listdir(root / name) if image.fullmatch(f"{name}/{file}")) for name in folders
    }
    if empty := [name for name, files in images.items() if not files]:
        raise ValueError(
            f"{len(empty)} of the {len(folders)} class folders in {root} hold no image: {_shown(empty)}. Fill or"
            " remove them."
        )
    return images


def split_images(images: ClassImages, per_class: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Draw ``per_class`` images of every class to train on; the others are to test on.

    An image's rank in its class is that of the SHA-256 of ``seed/folder/file`` (UTF-8); the first ``per_class`` are
    drawn. So the split depends on names and seed only: on no random generator, no order of files, no other class. A
    split with a smaller ``per_class`` is a part of the larger one.

    Returns:
        ``folder/file`` of the training images and of the test images, each sorted.

    Raises:
        ValueError: If ``per_class`` is below 1, or a class has no image left to test on.

    Example:
        >>> split_images({"cat": ["1.jpg", "2.jpg", "3.jpg"]}, per_class=2)
        (['cat/1.jpg', 'cat/3.jpg'], ['cat/2.jpg'])
    """
    if per_class < 1:
        raise ValueError(f"per_class is {per_class}: give at least 1 training image per class.")
    if small := [f"{name} ({len(files)})" for name, files in images.items() if len(files) <= per_class]:
        raise ValueError(
            f"{len(small)} of {len(images)} classes have fewer than {per_class + 1} images, which per_class={per_class}"
            f" needs to leave one to test on: {_shown(small)}. Set per_class lower, or add the missing images."
        )
    train, test = [], []
    for folder, files in images.items():
        paths = sorted((f"{folder}/{file}" for file in files), key=lambda path: _rank(seed, path))
        train += sorted(paths[:per_class])
        test += sorted(paths[per_class:])
    return train, test


def read_split(file: str | os.PathLike) -> list[str]:
    """``folder/file`` of a split's images, one per line.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is no ``folder/file``, an image is named twice, or there is none.
    """
    lines = [line.rstrip() for line in Path(file).read_text(encoding="utf-8").split("\n")]
    paths = [line for line in lines if line.strip()]  # a folder may begin with a blank
    for path in paths:
        if path.count("/") != 1 or path.startswith("/"):
            raise ValueError(
                f"{file} has the line {path!r}: each names one image as FOLDER/FILE, 001.ak47/001_0001.jpg."
            )
    if not paths:
        raise ValueError(f"{file} names no image: each line names one as FOLDER/FILE, such as 001.ak47/001_0001.jpg.")
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise ValueError(f"{file} names {twice} more than once: remove the repeated lines.")
    return paths


def write_split(file: str | os.PathLike, paths: Iterable[str]) -> None:
    """Write ``folder/file`` of a split's images, one per line; the inverse of `read_split`."""
    write_text(file, "".join(f"{path}\n" for path in paths))


def _rank(seed: int, path: str) -> bytes:
    return hashlib.sha256(f"{seed}/{path}".encode()).digest()


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
