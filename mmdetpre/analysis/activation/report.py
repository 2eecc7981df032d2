"""Activation maps of several checkpoints on the same pixels, and the numbers behind the pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.analysis.activation.activation import activation_map, mean_activation
from mmdetpre.analysis.features.batches import RESIZE_EDGE, normalise
from mmdetpre.analysis.features.extract import FeatureSource
from mmdetpre.analysis.features.pixels import as_rgb, read_photo
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.whole_file import whole_file, write_rows


@dataclass(frozen=True, eq=False)
class ActiveImage:
    """Activations of several checkpoints in one image.

    Args:
        name: Path of the image.
        pixels: (H, W, 3) uint8 RGB, as the networks see it.
        means: For each checkpoint the mean over the channels (h, w) float32.
        maps: For each the grey picture (H, W) uint8.
    """

    name: str
    pixels: np.ndarray
    means: Mapping[str, np.ndarray]
    maps: Mapping[str, np.ndarray]


def activations_of_images(
    sources: Mapping[str, FeatureSource],
    layer: str,
    images: Sequence[str | os.PathLike[str]],
    *,
    resize_edge: int = RESIZE_EDGE,
    progress: bool = False,
) -> list[ActiveImage]:
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
                ready = source.preprocessing
                mean, std, order = ready.mean or (0.0,) * 3, ready.std or (1.0,) * 3, ready.channel_order or "bgr"
                values = source.reader(normalise(photo[None].to(source.device), mean, std, order))[layer]
                features = values[0].cpu().numpy()
                try:
                    means[name] = mean_activation(features)
                    maps[name] = activation_map(features, (photo.shape[1], photo.shape[2]))
                except ValueError as error:
                    raise ValueError(f"{layer} of {name} on {path}: {error}") from error
                bar.update()
            results.append(ActiveImage(os.fspath(path), as_rgb(photo), means, maps))
    return results


def write_activations(path: Path, images: Sequence[ActiveImage]) -> None:
    """Write the means over the channels, before they are scaled to grey levels.

    Args:
        path: ``.csv``: a line per image, model, row and column. ``.npz``: ``images``, ``models``, and an array
            ``mean_<image>_<model>`` (h, w) for their numbers.
        images: What was found.
    """
    if path.suffix == ".csv":
        rows: list[list[Any]] = [["image", "model", "row", "column", "mean"]]
        for image in images:
            for name, mean in image.means.items():
                rows += [[image.name, name, i, j, float(mean[i, j])] for i, j in np.ndindex(*mean.shape)]
        write_rows(path, rows)
        return
    arrays: dict[str, Any] = {
        "images": np.array([image.name for image in images]),
        "models": np.array(list(images[0].means)),
    }
    for i, image in enumerate(images):
        arrays |= {f"mean_{i}_{k}": mean for k, mean in enumerate(image.means.values())}
    with whole_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)
