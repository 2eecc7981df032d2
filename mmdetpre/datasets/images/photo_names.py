"""From the names of photos, as annotations and lists write them, to the photos that are meant."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from urllib.parse import unquote

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
"""What names of photos end with, in lower case."""

PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"} | dict.fromkeys(
    ("test", "testing"), "test"
)
"""Names of folders, in lower case -> the part of the data that they hold."""
_SAME_KIND = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}
_DRIVE = re.compile(r"[A-Za-z]:")
_COMPARED, _SHOWN = 20_000, 3

Parts = tuple[str, ...]


@dataclass(frozen=True)
class FoundPhotos:
    """Where N photos are.

    Attributes:
        names: N paths relative to the folder; as they are written where no photo was found.
        missing: Indices of those that are not there.
        other_form: Index of each photo that was found by another form of its name -> the name as it is written.
        several: Index of a missing photo -> the photos between which nothing decides.
    """

    names: list[str]
    missing: list[int]
    other_form: dict[int, str] = field(default_factory=dict)
    several: dict[int, list[str]] = field(default_factory=dict)


class PhotoFolder:
    """The photos of a folder, found by names that were written on another machine.

    A name that is there as it is written is taken, and costs a look into a listing. Else a photo is taken whose name
    differs in form only, if it is the only one: ``\\`` for ``/``, upper and lower case, the forms of Unicode (NFC,
    NFD), ``%20`` for a blank, blanks at the ends, ``.jpeg`` for ``.jpg``, folders in front (a drive, an address, the
    path of another machine), or a photo in a folder below. Folders that both names have must agree, and no photo is
    taken twice.

    Args:
        folder: The folder.
        deep: Look into the folders below as well. Where the folder was guessed, this may be much.

    Example:
        >>> import pathlib, tempfile
        >>> root = pathlib.Path(tempfile.mkdtemp())
        >>> (root / "images").mkdir()
        >>> (root / "images" / "My cat.JPG").touch()
        >>> PhotoFolder(root).find(["C:\\\\photos\\\\images\\\\my%20cat.jpeg"]).names
        ['images/My cat.JPG']
    """

    def __init__(self, folder: str | os.PathLike[str], deep: bool = True) -> None:
        self.folder, self.deep = os.fspath(folder), deep
        self._listed: dict[str, frozenset[str]] = {}

    def find(self, names: Sequence[str], suffix: str = "") -> FoundPhotos:
        """The photos called name + suffix.

        Args:
            names: N names, relative to the folder, as they are written.
            suffix: What file names end with after them.
        """
        files = [name + suffix for name in names] if suffix else list(names)
        unknown = [i for i, name in enumerate(files) if not self._is_there(name)]
        return self._settle(files, {i: (self._of_name(files[i]), files[i]) for i in unknown})

    def find_stems(self, stems: Sequence[str], told: Sequence[str], suffix: str | None = None) -> FoundPhotos:
        """The photos that belong to annotation files: of their name, or as the files say.

        A photo of the annotation file's name is taken. Of several (a photo and a mask), and where there is none, the
        name decides that the file tells; a suffix alone is enough to decide between several.

        Args:
            stems: N names of annotation files, relative to their folder, without suffix.
            told: The name of the photo that each file tells, or "".
            suffix: Photos of this suffix are looked for first.
        """
        files = [stem + (suffix or "") for stem in stems]
        unknown = [i for i, name in enumerate(files) if suffix is None or not self._is_there(name)]
        return self._settle(files, {i: (self._of_stem(stems[i], told[i]), stems[i]) for i in unknown})

    def __contains__(self, name: str) -> bool:
        return self._is_there(name) or len(self._of_name(name)) == 1

    def photos(self) -> list[str]:
        """Paths of all photos, sorted."""
        return sorted(path for paths in self._index.values() for path, _ in paths)

    def stems(self) -> set[str]:
        """Paths of all photos without their suffixes."""
        return {os.path.splitext(path)[0] for path in self.photos()}

    def nearest(self, name: str) -> str | None:
        """The photo whose name is most like this one, to show in a message."""
        keys: dict[str, str] = {}
        for paths in self._index.values():
            for path, parts in paths:
                keys.setdefault(parts[-1], path)
                if len(keys) == _COMPARED:
                    break
        wanted = _parts(name)
        near = difflib.get_close_matches(wanted[-1] if wanted else "", keys, n=1, cutoff=0.6)
        return keys[near[0]] if near else None

    def describe_missing(self, found: FoundPhotos, rows: Iterable[int] | None = None) -> str:
        """The first missing photos by name, with what is there instead."""
        rows = found.missing if rows is None else list(rows)
        texts = []
        for i in rows[:_SHOWN]:
            text = found.names[i]
            if several := found.several.get(i):
                text += f" (may be {' or '.join(several[:_SHOWN])})"
            elif near := self.nearest(text):
                text += f" (the nearest name there is {near})"
            texts.append(text)
        return ", ".join(texts) + (", ..." if len(rows) > _SHOWN else "")

    def _settle(self, files: list[str], candidates: dict[int, tuple[list[str], str]]) -> FoundPhotos:
        names = [os.path.relpath(name, self.folder) if name[:1] == "/" else name for name in files]
        missing, several, other_form = [], {}, {}
        taken = Counter(paths[0] for paths, _ in candidates.values() if len(paths) == 1)
        if candidates:
            taken += Counter(name for i, name in enumerate(files) if i not in candidates)
        for i, (paths, written) in candidates.items():
            if len(paths) == 1 and taken[paths[0]] == 1:
                names[i] = paths[0]
                if not paths[0].startswith(written):
                    other_form[i] = written
            else:
                names[i] = files[i]
                missing.append(i)
                if paths:
                    several[i] = sorted(paths)
        return FoundPhotos(names, missing, other_form, several)

    def _is_there(self, name: str) -> bool:
        folder, _, file = name.rpartition("/")
        if folder not in self._listed:
            self._listed[folder] = _files(os.path.join(self.folder, f"{folder}/" if folder or name[:1] == "/" else ""))
        return file in self._listed[folder]

    @cached_property
    def _index(self) -> dict[str, list[tuple[str, Parts]]]:
        """Path and parts of each photo by the last part without suffix."""
        index = defaultdict(list)
        for path in _walk(self.folder, self.deep):
            parts = _parts(path)
            if not parts[-1].startswith("._"):
                index[_stem(parts[-1])].append((path, parts))
        return index

    def _of_name(self, name: str) -> list[str]:
        """The photos that a name can mean."""
        wanted = _parts(name)
        if not wanted:
            return []
        if _suffix(wanted[-1]):
            return _fitting(wanted, [(p, q) for p, q in self._index.get(_stem(wanted[-1]), ()) if q[-1] == wanted[-1]])
        return self._of_stem(name, "")

    def _of_stem(self, stem: str, told: str) -> list[str]:
        """The photos that a name without suffix can mean, where a file also tells a name."""
        wanted, named = _parts(stem), _parts(told)
        photos = self._index.get(wanted[-1], []) if wanted else []
        paths = _fitting(wanted, [(path, (*parts[:-1], _stem(parts[-1]))) for path, parts in photos])
        if not paths:
            return self._of_name(told) if named and _suffix(named[-1]) else []
        if len(paths) > 1 and named and (suffix := _suffix(named[-1])):
            return [path for path in paths if _suffix(_parts(path)[-1]) == suffix] or paths
        return paths


def _fitting(wanted: Parts, photos: Iterable[tuple[str, Parts]]) -> list[str]:
    """The paths whose folders agree with those of a name as far as both have some; those that share most of them."""
    best: dict[tuple[bool, int], list[str]] = defaultdict(list)
    for path, parts in photos:
        shared = min(len(wanted), len(parts))
        if wanted[-shared:] == parts[-shared:]:
            best[wanted == parts, shared].append(path)
    return best[max(best)] if best else []


@lru_cache(maxsize=1 << 16)
def _parts(name: str) -> Parts:
    """Folders and file of a name, in one form: from the last ``..`` on, without drive, host and query of an address."""
    text = name.strip()
    if "://" in text:
        text = re.split(r"[?#]", text.split("://", 1)[1].partition("/")[2])[0]
    text = unicodedata.normalize("NFC", unquote(text)).casefold().replace("\\", "/")
    parts = [part.strip() for part in (text[2:] if _DRIVE.match(text) else text).split("/")]
    parts = [part for part in parts if part not in ("", ".")]
    while ".." in parts:
        parts = parts[parts.index("..") + 1 :]
    if parts and (suffix := os.path.splitext(parts[-1])[1]) in _SAME_KIND:
        parts[-1] = parts[-1][: -len(suffix)] + _SAME_KIND[suffix]
    return tuple(parts)


def _suffix(part: str) -> str:
    suffix = os.path.splitext(part)[1]
    return suffix if suffix in IMAGE_SUFFIXES else ""


def _stem(part: str) -> str:
    return part[: len(part) - len(_suffix(part))]


def _files(folder: str) -> frozenset[str]:
    if not os.path.isdir(folder or "."):  # False as well for names that no folder can have
        return frozenset()
    with os.scandir(folder or ".") as entries:
        return frozenset(entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))


def _walk(root: str, deep: bool) -> Iterable[str]:
    """Photos below a folder, relative to it and sorted; each folder once, wherever links lead."""
    seen: set[tuple[int, int]] = set()
    todo = [""]
    while todo:
        below = todo.pop()
        folder = os.path.join(root, below)
        try:
            status = os.stat(folder)
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            if entry.is_dir():
                if deep and not entry.name.startswith("."):
                    todo.append(f"{below}{entry.name}/")
            elif os.path.splitext(entry.name.strip())[1].lower() in IMAGE_SUFFIXES:
                yield below + entry.name
