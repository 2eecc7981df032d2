"""Activation maps of several checkpoints on the same pixels, and the numbers behind the pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mmdetpre.analysis.activation.activation import activation_map, mean_activation
from mmdetpre.analysis.features.batches import RESIZE_EDGE, normalize
from mmdetpre.analysis.features.extract import FeatureSource
from mmdetpre.analysis.features.pixels import as_rgb, read_photo
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import text_table
from mmdetpre.utils.whole_file import whole_file


@dataclass(frozen=True, eq=False)
class ActiveImage:
    """Activations of several checkpoints in one image.

    Attributes:
        name: Path of the image.
        means: For each checkpoint the mean over the channels (h, w) float32.
        maps: For each the gray picture (H, W) uint8; not in files.
        pixels: (H, W, 3) uint8 RGB, as the networks see it; not in files.
    """

    name: str = field(metadata={"key": "image"})
    means: dict[str, np.ndarray]
    maps: dict[str, np.ndarray] = field(default_factory=dict, metadata={"key": None})
    pixels: np.ndarray | None = field(default=None, metadata={"key": None})


@dataclass(frozen=True, eq=False)
class ActivationReport(Result):
    """Activations of a layer of several checkpoints in several images.

    Attributes:
        layer: Name of the layer.
        images: What was found; means are those before they are scaled to gray levels.
    """

    kind: ClassVar[str] = "activation maps"
    alone: ClassVar[bool] = True

    layer: str
    images: tuple[ActiveImage, ...]

    def rows(self) -> list[list[Cell]]:
        """A line per image, model, row and column."""
        rows: list[list[Cell]] = [["image", "model", "row", "column", "mean"]]
        for image in self.images:
            for name, mean in image.means.items():
                rows += [[image.name, name, i, j, float(mean[i, j])] for i, j in np.ndindex(*mean.shape)]
        return rows

    def save_arrays(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` file of ``images``, ``models``, and an array ``mean_<image>_<model>`` for their numbers."""
        arrays: dict[str, Any] = {
            "images": np.array([image.name for image in self.images]),
            "models": np.array(list(self.images[0].means)),
        }
        for i, image in enumerate(self.images):
            arrays |= {f"mean_{i}_{k}": mean for k, mean in enumerate(image.means.values())}
        with whole_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)

    def __str__(self) -> str:
        """Size, minimum and maximum of each map."""
        rows = [
            [Path(image.name).name, name, f"{mean.shape[0]}x{mean.shape[1]}", f"{mean.min():.4f}", f"{mean.max():.4f}"]
            for image in self.images
            for name, mean in image.means.items()
        ]
        return text_table(["image", "model", "positions", "lowest", "highest"], rows)


def activations_of_images(
    sources: Mapping[str, FeatureSource],
    layer: str,
    images: Sequence[str | os.PathLike[str]],
    *,
    resize_edge: int = RESIZE_EDGE,
    progress: bool = False,
) -> ActivationReport:
    """Run whole images, one by one, through every model.

    Args:
        sources: Name and model; each prepares the same pixels by its own mean, deviation and channel order.
        layer: The layer, which the sources were opened with.
        images: Image files.
        resize_edge: Length that the short side is resized to, in pixels.
        progress: Show a progress bar.

    Raises:
        FileNotFoundError: If an image is missing.
        ValueError: If an image cannot be read, or a layer gives no map, the same everywhere, or values that are not
            finite; names model and image.
    """
    photos = [read_photo(path, resize_edge) for path in images]
    results = []
    with progress_bar(total=len(images) * len(sources), unit="map", desc="activations", disable=not progress) as bar:
        for path, photo in zip(images, photos, strict=True):
            means, maps = {}, {}
            for name, source in sources.items():
                values = source.reader(normalize(photo[None].to(source.device), source.preprocessing))[layer]
                features = values[0].cpu().numpy()
                try:
                    means[name] = mean_activation(features)
                    maps[name] = activation_map(features, (photo.shape[1], photo.shape[2]))
                except ValueError as error:
                    raise ValueError(f"{layer} of {name} on {path}: {error}") from error
                bar.update()
            results.append(ActiveImage(os.fspath(path), means, maps, as_rgb(photo)))
    return ActivationReport(layer, tuple(results))
