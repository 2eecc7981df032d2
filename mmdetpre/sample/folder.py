"""The folder of a sample: made once, stamped, reused, and never overwritten without being told."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from mmdetpre.sample.caltech256_layout import Caltech256Layout
from mmdetpre.sample.classes import ClassSet
from mmdetpre.sample.coco_layout import CocoLayout
from mmdetpre.sample.imagenet_loc_layout import ImageNetLocLayout
from mmdetpre.sample.layout import LayoutWriter
from mmdetpre.sample.openimages_layout import OpenImagesLayout
from mmdetpre.sample.render import render
from mmdetpre.sample.voc_layout import VOCLayout
from mmdetpre.sample.world import World
from mmdetpre.utils.bounded_files import read_json
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.whole_file import write_json
from mmdetpre.version import __version__


class Layout(NamedTuple):
    """A layout and what a sample in it is by default.

    Attributes:
        writer: Writes it.
        which: Class set.
        train: Number of training images.
        validation: Number of validation images.
    """

    writer: type[LayoutWriter]
    which: ClassSet
    train: int
    validation: int


LAYOUTS: dict[str, Layout] = {
    "openimages": Layout(OpenImagesLayout, "source", 900, 150),
    "coco": Layout(CocoLayout, "source", 170, 60),
    "voc": Layout(VOCLayout, "target", 170, 60),
    "imagenet_loc": Layout(ImageNetLocLayout, "source", 640, 60),
    "caltech256": Layout(Caltech256Layout, "target", 200, 200),
}
"""Layout name -> layout."""
STAMP = "sample.json"
"""Name of the file that marks a complete sample."""


def default_folder(layout: str) -> Path:
    """Where the sample configs look for a sample, relative to the folder they are started in.

    Example:
        >>> default_folder("openimages").name, default_folder("voc").name
        ('sample', 'sample_voc')
    """
    return Path("data") / ("sample" if layout == "openimages" else f"sample_{layout}")


_REVISION = 1  # of the drawing: raise it when the same parameters give other files


def make_sample(
    root: str | os.PathLike,
    which: ClassSet | None = None,
    *,
    layout: str = "openimages",
    train: int | None = None,
    validation: int | None = None,
    size: tuple[int, int] = (256, 192),
    seed: int = 0,
    force: bool = False,
    progress: bool = True,
) -> Path:
    """Draw a sample data set, or reuse the existing one.

    The folder appears at ``root`` only when it is complete. The same arguments give the same bytes (pictures: with the
    same OpenCV build).

    Args:
        root: Folder to create.
        which: Class set: ``"source"`` (8 classes, to pre-train on) or ``"target"`` (4 other ones, to fine-tune on);
            ``None``: that of the layout, target for VOC and Caltech-256 and source for the others.
        layout: Key of :data:`LAYOUTS`.
        train: Number of training images; ``None``: that of the layout.
        validation: Number of validation images; ``None``: that of the layout.
        size: (width, height) of a landscape image, pixels; some images are portrait or square.
        seed: Seed of the world.
        force: Replace a sample with other parameters. Only a folder with our stamp is ever replaced, and only one that
            holds what was drawn and nothing else is removed: any other is moved beside it, which is said.
        progress: Show a progress bar.

    Returns:
        ``root`` as an absolute path.

    Raises:
        FileExistsError: If ``root`` holds anything but a complete sample with the same parameters.
        ValueError: If an argument is out of its range.

    Example:
        >>> import tempfile
        >>> root = make_sample(tempfile.mkdtemp(), train=2, validation=1, progress=False)
        >>> sorted(path.name for path in root.iterdir())
        ['OpenImages', 'annotations', 'sample.json']
    """
    if layout not in LAYOUTS:
        raise ValueError(f"No layout {layout!r}: choose one of {', '.join(map(repr, LAYOUTS))}.")
    chosen = LAYOUTS[layout]
    which = chosen.which if which is None else which
    train = chosen.train if train is None else train
    validation = chosen.validation if validation is None else validation
    if min(train, validation) < 1:
        raise ValueError(f"train is {train} and validation {validation}: both need at least 1 image.")
    world = World(which, seed, size)
    counts = {"train": train, "validation": validation}
    parameters = dict(
        layout=layout,
        which=which,
        seed=seed,
        size=list(world.size),
        **counts,
        revision=_REVISION,
    )
    root = Path(root).resolve()
    if _may_reuse(root, parameters, force):
        print(f"Reusing the sample in {root} (same parameters).")
        return root
    with _complete_or_nothing(root, force) as partial:
        writer = chosen.writer(partial, world)
        jobs = [(split, i) for split, n in counts.items() for i in range(n)]
        for split, index in progress_bar(jobs, desc=f"Drawing {which} sample", unit="img", disable=not progress):
            scene = writer.scene(split, index)
            writer.add(scene, render(scene))
        writer.finish()
        files, digest = _digest(partial)
        stamp = dict(parameters=parameters, package_version=__version__, files=files, digest=digest)
        write_json(partial / STAMP, stamp, indent=2)
    return root


def _may_reuse(root: Path, parameters: dict, force: bool) -> bool:
    """True: reuse; False: draw. Anything in the way that may not be replaced is an error."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    stamp_file = root / STAMP
    if not stamp_file.is_file():
        raise FileExistsError(
            f"{root} exists and is not a sample of ours (no {STAMP} in it): choose another folder; nothing was written."
        )
    try:
        stamp = read_json(stamp_file)
        found, files = stamp["parameters"], stamp["files"]
    except (ValueError, KeyError, TypeError):
        found, files = {}, -1
    present = len(_own_files(root)) - 1
    if found == parameters and present == files:
        return True
    if force:
        return False
    if found == parameters:
        problem = f"holds {present} files where its stamp says {files}"
    else:
        keys = [k for k in parameters if found.get(k) != parameters[k]]
        problem = "was drawn with " + ", ".join(f"{k}={found.get(k)!r} (asked: {parameters[k]!r})" for k in keys)
    raise FileExistsError(
        f"The sample in {root} {problem}: choose another folder, or replace it with force=True (--force)."
    )


@contextmanager
def _complete_or_nothing(root: Path, force: bool) -> Iterator[Path]:
    """A sibling folder that becomes ``root`` at the end, or disappears where the body fails.

    What stood at ``root`` is removed where it is a sample as we drew it, else moved beside.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    partial, replaced = (root.with_name(f".{root.name}.{os.getpid()}.{state}") for state in ("partial", "replaced"))
    partial.mkdir()
    try:
        yield partial
        if root.is_dir() and not any(root.iterdir()):
            root.rmdir()
        if not os.path.lexists(root):
            partial.rename(root)
            return
        if not force:
            raise FileExistsError(f"{root} came while the sample was drawn; it is left as it is.")
        as_drawn = _is_as_drawn(root)
        if not as_drawn:
            replaced = next(
                name for i in count(1) if not os.path.lexists(name := root.with_name(f"{root.name}.kept-{i}"))
            )
        root.rename(replaced)
        try:
            partial.rename(root)
        except OSError:
            replaced.rename(root)
            raise
        if as_drawn:
            shutil.rmtree(replaced, ignore_errors=True)
        else:
            print(f"The folder that stood in {root} also held other files, or changed ones: it is now {replaced}.")
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _is_as_drawn(root: Path) -> bool:
    """Whether a folder holds the files that were drawn, as they were drawn, caches of ours, and nothing else."""
    for path in root.rglob("*"):
        hidden = next((part for part in path.relative_to(root).parts if part.startswith(".")), ".mmdetpre")
        if path.is_symlink() or hidden != ".mmdetpre":
            return False
    try:
        return _digest(root, {STAMP})[1] == read_json(root / STAMP)["digest"]
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _own_files(root: Path) -> list[str]:
    """Files below a folder, without those in hidden folders: caches of what reads the sample."""
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))


def _digest(root: Path, without: Collection[str] = ()) -> tuple[int, str]:
    """Number of files below a folder and a digest of their names and contents."""
    digest = hashlib.sha256()
    paths = [path for path in _own_files(root) if path not in without]
    for path in paths:
        digest.update(f"{path}\0{(root / path).stat().st_size}\0".encode())
        with (root / path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return len(paths), digest.hexdigest()
