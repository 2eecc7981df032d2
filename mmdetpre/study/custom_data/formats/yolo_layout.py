"""Where the photos and labels of a YOLO folder are: its ``data.yaml``, or a list of classes beside its folders."""

from __future__ import annotations

import os
import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdetpre.datasets.images.photo_names import PARTS, PhotoFolder
from mmdetpre.datasets.packed.annotation_values import name_of
from mmdetpre.utils.class_list import read_class_names
from mmdetpre.utils.text_files import read_lines
from mmdetpre.utils.yaml_file import read_yaml

YAML_NAMES = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
NAME_LISTS = ("classes.txt", "obj.names")


@dataclass(frozen=True)
class YoloLayout:
    """What a YOLO folder holds.

    Attributes:
        told_by: File that names the classes.
        root: Folder of everything.
        names: Names of the classes in label order.
        parts: Photos of each part, relative to the root; the part ``""`` is all of them.
        folders: Folders that the photos of a part were looked for in, relative to the root; none for lists.
        keypoints: Numbers of keypoints that follow each box.
        labels_dir: Folder of the labels; None: by YOLO's rule, ``images`` in the path becomes ``labels``.
        remarks: What to say although it was read.
    """

    told_by: Path
    root: Path
    names: list[str]
    parts: dict[str, list[str]]
    folders: dict[str, list[str]]
    keypoints: int = 0
    labels_dir: Path | None = None
    remarks: list[str] = field(default_factory=list)


def read_yaml_layout(file: Path) -> YoloLayout:
    """The layout that a ``data.yaml`` describes, as Ultralytics, Roboflow and FiftyOne write it.

    ``path`` says where the data are; where it does not exist here, they are beside the file. Places of the parts lie
    inside of one of the two: ``../train/images`` is looked for there too, and so is the path of another machine, by its
    last folders.

    Raises:
        FileNotFoundError: If a part, or every photo, is missing.
        ValueError: Names the key that is wrong.
    """
    content = read_yaml(file)
    if not isinstance(content, dict):
        raise ValueError(f"{file} is not the data.yaml of a YOLO folder: it needs names, train and val.")
    names = _names(file, content)
    written = {part: _entries(file, key, content[key]) for key, part in PARTS.items() if content.get(key)}
    if not written:
        raise ValueError(f"{file} names no photos: it needs train: FOLDER, and val: FOLDER if that is another one.")
    bases = _bases(file, content.get("path"))
    found = [{part: [_place(base, e) for e in entries] for part, entries in written.items()} for base in bases]
    best = max(range(len(bases)), key=lambda i: sum(e is not None for part in found[i].values() for e in part))
    root, remarks = bases[best], []
    if root != file.parent and not _is_in(root, file.parent):
        remarks.append(f"the photos lie in {root}, as path in {file.name} says")
    parts, folders = {}, {}
    for part, places in found[best].items():
        if absent := [entry for entry, place in zip(written[part], places, strict=True) if place is None]:
            if part == "train":
                raise FileNotFoundError(
                    f"{file}: {part} names {absent[0]}, which is not in {' or '.join(map(str, bases))}. Correct it, or"
                    " path."
                )
            remarks.append(f"{file.name} names {part}: {absent[0]}, which is not there")
            continue
        parts[part], folders[part], told = _photos(root, [place for place in places if place is not None])
        remarks += told
        if not parts[part]:
            if part == "train":
                raise FileNotFoundError(f"{file}: there is no photo in its train, {', '.join(written[part])}.")
            remarks.append(f"there is no photo in {part}, {', '.join(written[part])}")
            del parts[part]
    for part in [part for part in parts if part != "train" and set(parts[part]) == set(parts.get("train", ()))]:
        remarks.append(f"{part} in {file.name} has the photos of train")
        del parts[part]
    if "train" not in parts:
        raise ValueError(f"{file} names no training photos: it needs train: FOLDER.")
    return YoloLayout(file, root, names, parts, folders, _keypoints(file, content.get("kpt_shape")), remarks=remarks)


def read_list_layout(file: Path, images_dir: Path | None) -> YoloLayout:
    """The layout around a list of classes: photos in any folder, with their labels by YOLO's rule.

    Folders called train, val or test on the way to the photos make the parts, where each photo is in one.

    Args:
        file: ``classes.txt`` or ``obj.names``.
        images_dir: Folder of the photos; None: the list's folder, or the one above where that is ``labels``.
    """
    labels = file.parent / "labels" if (file.parent / "labels").is_dir() else file.parent
    root = images_dir or (file.parent.parent if file.parent.name == "labels" else file.parent)
    photos = PhotoFolder(root).photos()
    if not photos:
        raise FileNotFoundError(f"There is no photo in {root}, which {file} names classes for.")
    parts: dict[str, list[str]] = {}
    for photo in photos:
        part = next((PARTS[name.lower()] for name in photo.split("/")[:-1] if name.lower() in PARTS), "")
        parts.setdefault(part, []).append(photo)
    if "" in parts or "train" not in parts:
        parts = {"": photos}
    folders = {part: ["."] for part in parts}
    return YoloLayout(file, root, read_class_names(file), parts, folders, labels_dir=labels if images_dir else None)


def _names(file: Path, content: Mapping[Any, Any]) -> list[str]:
    value = content.get("names")
    if isinstance(value, dict):
        if sorted(map(str, value)) != sorted(map(str, range(len(value)))):
            raise ValueError(f"{file}: the keys of names must be 0 to {len(value) - 1}, one for each class.")
        value = [next(value[key] for key in value if str(key) == str(i)) for i in range(len(value))]
    if not isinstance(value, list) or not value:
        raise ValueError(f"{file} has no names: it needs a list of class names, or a mapping such as 0: kangaroo.")
    names = []
    for i, item in enumerate(value):
        name = str(item) if isinstance(item, int) and not isinstance(item, bool) else name_of(item)
        if name is None:
            raise ValueError(f"{file}: names[{i}] is {item!r}, expected a name: write it in quotes.")
        names.append(name)
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{file} names {twice[0]!r} more than once: a label is one class.")
    if content.get("nc") not in (None, len(names)):
        raise ValueError(f"{file}: nc is {content['nc']!r}, and names has {len(names)} classes: correct one of them.")
    return names


def _entries(file: Path, key: str, value: Any) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    if wrong := [entry for entry in entries if not isinstance(entry, str) or not entry.strip() or "\0" in entry]:
        raise ValueError(f"{file}: {key} has {wrong[0]!r}, expected a folder, a list of photos, or several of them.")
    return [entry.strip() for entry in entries]


def _keypoints(file: Path, shape: Any) -> int:
    if shape is None:
        return 0
    if isinstance(shape, list) and len(shape) == 2 and all(isinstance(n, int) and 0 < n < 1000 for n in shape):
        return int(shape[0] * shape[1])
    raise ValueError(f"{file}: kpt_shape is {shape!r}, expected [number of points, 2 or 3].")


def _bases(file: Path, told: Any) -> list[Path]:
    """Folders that the places of the parts can be in."""
    if told is None or told == "":
        return [file.parent]
    if not isinstance(told, str) or "\0" in told:
        raise ValueError(f"{file}: path is {told!r}, expected a folder.")
    base = Path(os.path.abspath(file.parent / told.replace("\\", "/")))
    return [base, file.parent] if base.is_dir() and base != file.parent else [file.parent]


def _place(base: Path, entry: str) -> str | None:
    """The path of an entry relative to a folder that it lies in; None if it is not there."""
    text = posixpath.normpath(entry.replace("\\", "/"))
    outside = posixpath.isabs(text) or text[1:2] == ":"
    if posixpath.isabs(text) and _is_in(Path(text), base) and os.path.exists(text):
        return os.path.relpath(text, base)
    parts = [part for part in text.split("/") if part not in ("", "..") and part[1:2] != ":"]
    tails = [parts[i:] for i in range(len(parts))] if outside else [parts]
    found = (posixpath.join(*tail) for tail in tails if tail and os.path.exists(base.joinpath(*tail)))
    return next(found, None) if parts else ("." if text == "." else None)


def _is_in(path: Path, folder: Path) -> bool:
    return os.path.abspath(folder) == os.path.commonpath([os.path.abspath(path), os.path.abspath(folder)])


def _photos(root: Path, places: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Photos of folders and lists, the folders, and what to say."""
    photos: list[str] = []
    folders = [place for place in places if (root / place).is_dir()]
    for place in places:
        if place in folders:
            names = PhotoFolder(root / place).photos()
            photos += [posixpath.normpath(posixpath.join(place, name)) for name in names]
        else:
            photos += _listed(root, place)
    different = list(dict.fromkeys(photos))
    twice = len(photos) - len(different)
    return different, folders, [f"{twice} photos are named more than once in {', '.join(places)}"] if twice else []


def _listed(root: Path, place: str) -> list[str]:
    """Photos of a list, one per line: relative to the list where they begin with ./, else to the root."""
    if not place.lower().endswith(".txt"):
        raise ValueError(f"{root / place} is neither a folder nor a list of photos (*.txt).")
    names = []
    for line in read_lines(root / place, "a list of photos, one per line"):
        text = line.text.strip().replace("\\", "/")
        base = posixpath.dirname(place) if text.startswith("./") else ""
        if posixpath.isabs(text) and _is_in(Path(text), root):
            text = os.path.relpath(text, root)
        parts = posixpath.normpath(posixpath.join(base, text.lstrip("/"))).split("/")
        names.append("/".join(part for part in parts if part != ".."))  # whatever it says, it stays in the root
    return PhotoFolder(root).find(names).names
