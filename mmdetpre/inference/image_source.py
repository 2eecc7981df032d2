"""Images as a command line names them: a file, a folder, a list, the frames of a video."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mmcv
import numpy as np

from mmdetpre.utils.text_files import read_lines

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")


@dataclass(frozen=True)
class ImageSource:
    """Images in a fixed order, each with a name of its own.

    Attributes:
        path: What was named.
        names: Names of the images: relative to the folder or the list; ``000012`` of a video's frame 12, from 0.
        files: Their files; empty for a video.
        frames_per_second: Of a video; 0 of anything else.
        single: Whether one image file was named.
    """

    path: Path
    names: list[str]
    files: list[Path]
    frames_per_second: float = 0.0
    single: bool = False

    @property
    def video(self) -> bool:
        """Whether these are the frames of a video."""
        return self.frames_per_second > 0

    def images(self, start: int = 0) -> Iterator[tuple[str, Path | np.ndarray]]:
        """Name and file of each image from one on, or (h, w, 3) uint8 BGR pixels of a video's frame.

        Raises:
            ValueError: If the video ends before its last frame.
        """
        if not self.video:
            yield from zip(self.names[start:], self.files[start:], strict=True)
            return
        video = mmcv.VideoReader(str(self.path), cache_capacity=1)
        for number, name in enumerate(self.names[start:], start):
            frame = video.get_frame(number) if number == start else video.read()
            if frame is None:
                raise ValueError(
                    f"{self.path} ends at frame {number} of {len(self.names)}: it is cut off, or its index is wrong."
                )
            yield name, frame


def inner_path(name: str) -> str:
    """Where a file about an image lies inside of a folder, whatever its name says.

    Args:
        name: Of the image: relative or absolute.

    Example:
        >>> inner_path("day/a.jpg"), inner_path("/data/a.jpg"), inner_path("../a.jpg")
        ('day/a.jpg', 'data/a.jpg', '_/a.jpg')
    """
    parts = (part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
    return "/".join("_" if part == ".." else part for part in parts)


def open_source(path: str | os.PathLike) -> ImageSource:
    """The images that a path names.

    Args:
        path: An image; a folder, with those inside of it; a text file with one path per line, relative to its folder;
            or a video that OpenCV reads.

    Raises:
        FileNotFoundError: If there is no such file, or a file of a list is missing.
        ValueError: If there is no image in it, it is of another kind, or a list names one twice.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("b.jpg", "a.png", "notes.md"):
        ...     (folder / name).touch()
        >>> open_source(folder).names
        ['a.png', 'b.jpg']
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not files:
            raise ValueError(f"{path} holds no image: expected files of {', '.join(SUFFIXES)}.")
        return ImageSource(path, [file.relative_to(path).as_posix() for file in files], files)
    if not path.is_file():
        raise FileNotFoundError(f"There is no image {path}.")
    suffix = path.suffix.lower()
    if suffix == ".txt":
        return _listed(path)
    if suffix in VIDEOS:
        return _video(path)
    return ImageSource(path, [path.name], [path], single=True)


def _listed(path: Path) -> ImageSource:
    lines = read_lines(path, "a text file with the path of one image per line")
    names = [line.text.strip() for line in lines]
    files = [path.parent / name for name in names]
    for line, file in zip(lines, files, strict=True):
        if not file.is_file():
            raise FileNotFoundError(f"{path}, line {line.number}: there is no image {file}.")
    first: dict[str, str] = {}
    for name in names:
        if (before := first.setdefault(inner_path(name), name)) != name:
            raise ValueError(f"{path} names {before} and {name}, whose results would be one file: leave one out.")
    if len(first) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{path} names {twice} twice: leave one out.")
    if not names:
        raise ValueError(f"{path} names no image: it needs the path of one per line.")
    return ImageSource(path, names, files)


def _video(path: Path) -> ImageSource:
    video = mmcv.VideoReader(str(path), cache_capacity=1)
    if not video.opened or video.frame_cnt < 1 or not video.fps > 0:
        raise ValueError(f"{path} cannot be read as a video here: convert it, such as by `ffmpeg -i IN OUT.mp4`.")
    digits = max(6, len(str(video.frame_cnt)))
    return ImageSource(path, [f"{i:0{digits}}" for i in range(video.frame_cnt)], [], float(video.fps))
