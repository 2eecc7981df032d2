"""The sample in the layout of Caltech-256: a folder of images per class, clutter last, and no split."""

from __future__ import annotations

from pathlib import Path

from mmdetpre.sample.layout import LayoutWriter, write_jpeg
from mmdetpre.sample.render import Rendering
from mmdetpre.sample.scene import Scene
from mmdetpre.sample.world import World

FOLDER = "256_ObjectCategories"
CLUTTER = 257
"""Number of the class of images without an object of any class."""


class Caltech256Layout(LayoutWriter):
    """Writes ``256_ObjectCategories/001.arrow/001_0001.jpg`` and so on under a root.

    The classes of the world take turns, then comes clutter: a main object among smaller ones of other classes, or the
    background alone. As in Caltech-256 nothing says which images are to train on; those of both splits are numbered on.

    Args:
        root: Existing folder to write under.
        world: Where the scenes come from.
    """

    def __init__(self, root: Path, world: World) -> None:
        super().__init__(root, world)
        self.folders = [f"{number:03d}.{item.name.lower()}" for number, item in enumerate(world.classes, start=1)]
        self.folders.append(f"{CLUTTER}.clutter")
        self._written = [0] * len(self.folders)
        for name in self.folders:
            (root / FOLDER / name).mkdir(parents=True)

    def scene(self, split: str, index: int) -> Scene:
        """A scene of class ``index`` modulo the number of folders."""
        label = index % len(self.folders)
        return self.world.centered(split, index, label if label < len(self.world.classes) else None)

    def add(self, scene: Scene, drawn: Rendering) -> None:
        """Write the image."""
        label = scene.index % len(self.folders)
        self._written[label] += 1
        folder = self.folders[label]
        write_jpeg(self.root / FOLDER / folder / f"{folder[:3]}_{self._written[label]:04d}.jpg", drawn.image)

    def finish(self) -> None:
        """Nothing: the folders say it all."""
