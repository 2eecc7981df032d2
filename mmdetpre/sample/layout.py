"""What a layout writer must do, and what all of them share: image ids and JPEG files."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path

import cv2
import numpy as np

from mmdetpre.sample.render import Rendering
from mmdetpre.sample.scene import Scene
from mmdetpre.sample.world import World

_JPEG_QUALITY = 92


class LayoutWriter(ABC):
    """Writes synthetic scenes in the directory layout of one public data set.

    Args:
        root: Existing folder to write under.
        world: Where the scenes come from.
    """

    def __init__(self, root: Path, world: World) -> None:
        self.root, self.world = root, world

    def scene(self, split: str, index: int) -> Scene:
        """The scene number ``index`` of a split."""
        return self.world.scene(split, index)

    @abstractmethod
    def add(self, scene: Scene, drawn: Rendering) -> None:
        """Write the image and remember its annotations."""

    @abstractmethod
    def finish(self) -> None:
        """Write the annotation files."""


def image_id(world: World, scene: Scene) -> str:
    """16 hexadecimal digits, as OpenImages names its images.

    Example:
        >>> world = World("source", seed=0)
        >>> image_id(world, world.scene("train", 0))
        '4adba53879a3f92f'
    """
    key = f"{world.which}/{world.seed}/{world.size[0]}x{world.size[1]}/{scene.split}/{scene.index}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def write_jpeg(path: Path, image: np.ndarray) -> None:
    """Write an RGB image; the folder must exist.

    Raises:
        OSError: If OpenCV cannot write the file.
    """
    done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise OSError(f"OpenCV could not encode {path.name} as JPEG.")
    path.write_bytes(data.tobytes())
