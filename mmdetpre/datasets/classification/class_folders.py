"""Images in one folder per class: the one reader of this form."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from mmdetpre.utils.plain_text import name_problem

IMAGE_FILE = re.compile(r"[^/]+/.+\.(jpe?g|jpe|jfif|png|bmp|ppm|pgm|pbm|pnm|tiff?|webp|jp2)", re.IGNORECASE | re.DOTALL)
"""``folder/file`` of an image."""
ANY_FOLDER = re.compile(r"[^.].*", re.DOTALL)
"""Every folder that is not hidden."""

ClassImages = Mapping[str, Sequence[str]]
"""Folder of each class, in label order -> files in it, those of folders inside as ``inside/file``."""

_PARTS = {"train", "test", "val", "valid", "validation", "training", "testing"}
_NO_CLASS = {"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"}  # of operating systems
_CLUTTER = {"thumbs.db", "desktop.ini", ".ds_store"}
_SHOWN = 8
_DEEPEST = 4  # levels between the folder that was given and the class folders


@dataclass(frozen=True)
class ClassFolderTree:
    """What a folder of class folders holds.

    Attributes:
        root: Folder of the class folders: the one that was asked for, or one below it that holds all of them.
        images: Class folder in label order -> its images, both sorted by name.
        passed_over: How many files were skipped, by why.
        empty: Class folders without an image, if these were to be left out.
    """

    root: Path
    images: dict[str, list[str]]
    passed_over: dict[str, int] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)

    @property
    def nested(self) -> list[str]:
        """``folder/file`` of the images that lie in a folder inside of their class folder."""
        return [f"{folder}/{file}" for folder, files in self.images.items() for file in files if "/" in file]

    def names(self) -> list[str]:
        """Names of the classes in label order: those of the folders without blanks around them."""
        return [folder.strip() for folder in self.images]


def read_class_folders(
    root: str | os.PathLike,
    folder: re.Pattern[str] = ANY_FOLDER,
    image: re.Pattern[str] = IMAGE_FILE,
    *,
    leave_out_empty: bool = False,
) -> ClassFolderTree:
    """The images of every class, those of folders inside of a class folder included.

    Hidden files and folders (resource forks ``._1.jpg`` too) and what operating systems leave behind are not data. A
    root whose one folder holds all class folders (``caltech101/101_ObjectCategories/...``) stands for that folder.

    Args:
        root: Folder of the class folders.
        folder: What the name of a class folder matches as a whole; other folders are skipped.
        image: What ``folder/file`` of an image matches as a whole; other files are skipped and counted.
        leave_out_empty: Continue without class folders that hold no image.

    Raises:
        FileNotFoundError: If there is no such root, or no class folder in it.
        ValueError: If a class folder holds no image, the folders are parts (train, test) and no classes, two are one
            class, or a name cannot stand in a text file.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for name in ("cat", "dog/day2"):
        ...     (root / name).mkdir(parents=True)
        ...     (root / name / "1.jpg").touch()
        >>> read_class_folders(root).images
        {'cat': ['1.jpg'], 'dog': ['day2/1.jpg']}
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}: it has to hold one folder of images per class.")
    root = _class_root(root, folder)
    folders = _folders(root, folder)
    if not folders:
        raise FileNotFoundError(f"{root} holds no class folder: it needs one folder of images per class.")
    _require_no_parts(root, folders)
    images: dict[str, list[str]] = {}
    hidden, others = [], []
    for name in folders:
        images[name] = []
        for file in sorted(_files(root / name)):
            path = f"{name}/{file}"
            if Path(file).name.startswith("."):
                hidden += [path] if IMAGE_FILE.fullmatch(path) else []
            elif image.fullmatch(path):
                images[name].append(file)
            elif Path(file).name.lower() not in _CLUTTER:
                others.append(path)
    passed = {f"hidden files, such as {hidden[0]}": len(hidden)} if hidden else {}
    passed |= {f"files whose names are not those of images, such as {others[0]}": len(others)} if others else {}
    _require_plain_names(root, images)
    empty = [name for name, files in images.items() if not files]
    if empty and (len(empty) == len(folders) or not leave_out_empty):
        raise ValueError(
            f"{len(empty)} of the {len(folders)} class folders in {root} hold no image: {shown(empty)}. Fill or"
            " remove them."
        )
    filled = {name: files for name, files in images.items() if files}
    return ClassFolderTree(root, filled, passed, empty)


def shown(names: Sequence[str]) -> str:
    """The first few names, for messages."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _folders(root: Path, folder: re.Pattern[str]) -> list[str]:
    with os.scandir(root) as entries:
        return sorted(e.name for e in entries if folder.fullmatch(e.name) and e.name not in _NO_CLASS and e.is_dir())


def _class_root(root: Path, folder: re.Pattern[str]) -> Path:
    """The folder below a root that holds the class folders, where it is the one folder there with images."""
    found = root
    for _ in range(_DEEPEST):
        if found != root and len(list(islice(_filled(found, folder), 2))) == 2:
            return found
        if _holds_image(found):
            break
        filled = list(islice(_filled(found, ANY_FOLDER), 2))
        if len(filled) != 1 or (found == root and filled[0].lower() in _PARTS):
            break
        found = found / filled[0]
    return root


def _filled(root: Path, folder: re.Pattern[str]) -> Iterator[str]:
    """Folders with an image in them or below."""
    return (name for name in _folders(root, folder) if any(map(_is_image, _files(root / name))))


def _holds_image(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(_is_image(entry.name) and entry.is_file() for entry in entries)


def _is_image(file: str) -> bool:
    hidden = any(part.startswith(".") for part in file.split("/"))
    return not hidden and IMAGE_FILE.fullmatch(f"./{file}") is not None


def _files(folder: Path) -> Iterator[str]:
    """Paths of all files below a folder, relative to it; links are followed, each folder is visited once."""
    seen = set()
    for place, inside, files in os.walk(folder, followlinks=True):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in seen:
            inside.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        inside[:] = sorted(name for name in inside if name not in _NO_CLASS and not name.startswith("."))
        before = os.path.relpath(place, folder)
        for file in files:
            yield file if before == "." else f"{before}/{file}".replace(os.sep, "/")


def _require_no_parts(root: Path, folders: Sequence[str]) -> None:
    named = [name for name in folders if name.strip().lower() in _PARTS]
    parts = [name for name in named if not _holds_image(root / name) and any(_filled(root / name, ANY_FOLDER))]
    if len(named) == len(folders):
        parts = named
    if parts:
        raise ValueError(
            f"{root} holds {', '.join(parts)}, which are parts, not classes: put the images of each class into one"
            " folder; the split is random."
        )


def _require_plain_names(root: Path, images: ClassImages) -> None:
    """Refuse names that no list can hold, and two folders of one class."""
    odd = [path for folder, files in images.items() for path in (folder, *files) if name_problem(path)]
    if odd:
        raise ValueError(
            f"{root}: {len(odd)} names of folders or files cannot stand in a list; {odd[0]!r}, for example,"
            f" {name_problem(odd[0])}: rename them, to printable characters on one line."
        )
    by_name: dict[str, str] = {}
    for folder in images:
        name = unicodedata.normalize("NFC", folder.strip())
        if name in by_name:
            raise ValueError(
                f"{root} holds {by_name[name]!r} and {folder!r}, which are one class by their names (they differ in"
                " blanks or in the form of their accents only): put their images into one folder."
            )
        by_name[name] = folder
