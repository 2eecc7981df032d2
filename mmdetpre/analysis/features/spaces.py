"""Two feature spaces of the same images, as the analyses that compare spaces read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmdetpre.analysis.features.feature_file import FeatureFile, read_features, require_finite, require_same_images


@dataclass(frozen=True)
class SpaceInfo:
    """What a feature space is, for files.

    Args:
        name: What the network is called.
        layer: Name of the layer.
        dimensions: Number of values per image.
        file: Folder of the features.
    """

    name: str
    layer: str
    dimensions: int
    file: str


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """One layer of one network for n images.

    Args:
        name: What the network is called.
        layer: Name of the layer.
        values: (n, D) float32 features, one row per image; memory-mapped.
        file: Where they are from.
    """

    name: str
    layer: str
    values: np.ndarray
    file: FeatureFile

    def describe(self) -> SpaceInfo:
        """What the space is, for files."""
        return SpaceInfo(self.name, self.layer, self.values.shape[1], str(self.file.path))


def open_spaces(files: Mapping[str, Path], layers: Sequence[str] | None = None) -> tuple[FeatureSpace, FeatureSpace]:
    """Open a layer of two feature files; maps are flattened.

    Args:
        files: Name and folder of two feature files.
        layers: The layer of both, or one each. None: the only one that each file holds.

    Raises:
        FileNotFoundError: If a folder is not there.
        ValueError: If there are not two files, they hold other images or another order, a layer is missing, a value is
            not finite, or there is only one image.

    Example:
        >>> a, b = open_spaces({"ImageNet": "features/a", "OpenImages": "features/b"}, ["fc2"])
        >>> a.name, b.name
        ('ImageNet', 'OpenImages')
    """
    if layers is not None and len(layers) not in (1, 2):
        raise ValueError(f"{len(layers)} layers are given: give the one of both files, or one each.")
    first, second = _open_files(files, least=2)
    name_a, name_b = files
    wanted: Sequence[str | None] = layers or [None]
    return _open_space(name_a, first, wanted[0]), _open_space(name_b, second, wanted[-1])


def open_layers(
    files: Mapping[str, Path], layers: Sequence[str] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Open several layers of two feature files of the same images.

    Args:
        files: Name and folder of two feature files.
        layers: Layers to open, of each file those that it holds. None: all.

    Returns:
        For each file the name and the values (n, ...) of its layers.

    Raises:
        FileNotFoundError: If a folder is not there.
        ValueError: As for :func:`open_spaces`; or if a layer is in neither file, or a file has none of them.

    Example:
        >>> a, b = open_layers({"ImageNet": "features/a", "OpenImages": "features/b"})  # doctest: +SKIP
    """
    opened = _open_files(files, least=4)
    held = dict.fromkeys(name for file in opened for name in file.layers)
    if unknown := [name for name in layers or () if name not in held]:
        raise ValueError(f"neither file has a layer '{unknown[0]}': they hold {', '.join(held)}.")
    found = []
    for run, file in zip(files, opened, strict=True):
        names = [name for name in layers or file.layers if name in file.layers]
        if not names:
            raise ValueError(
                f"'{run}' has none of the layers {', '.join(layers or ())}: it holds {', '.join(file.layers)}."
            )
        found.append({name: _finite(run, file, name) for name in names})
    return found[0], found[1]


def require_same_pixels(first: FeatureFile, second: FeatureFile) -> None:
    """Check that both networks have seen the same part of the images at the same size, as far as the files tell.

    Mean, deviation and channel order belong to the network and may differ.

    Raises:
        ValueError: If size or crop differ.
    """
    ours, theirs = (
        {key: file.metadata.get("preprocessing", {}).get(key) for key in ("resize_edge", "crop")}
        for file in (first, second)
    )
    for key in ours:
        if None not in (ours[key], theirs[key]) and ours[key] != theirs[key]:
            option = key.replace("_", "-")
            raise ValueError(
                f"{first.path} was extracted with {key} = {ours[key]} and {second.path} with {theirs[key]}: their"
                f" networks have seen different pixels. Extract both with the same --{option}."
            )


def image_root(file: FeatureFile) -> Path:
    """Folder that the paths of the images are relative to, as the extraction has noted it; else the current one."""
    data = file.metadata.get("data", {})
    return Path(data.get("folder") or data.get("root") or "")


def _open_files(files: Mapping[str, Path], least: int) -> tuple[FeatureFile, FeatureFile]:
    if len(files) != 2:
        raise ValueError(f"{len(files)} feature files are given: two are compared. Give --run NAME=FOLDER twice.")
    first, second = (read_features(path) for path in files.values())
    require_same_images(first, second)
    require_same_pixels(first, second)
    if len(first) < least:
        raise ValueError(f"{first.path} holds {len(first)} image(s): give features of {least} or more.")
    return first, second


def _open_space(name: str, file: FeatureFile, layer: str | None) -> FeatureSpace:
    layer = layer or (next(iter(file.layers)) if len(file.layers) == 1 else None)
    values = _finite(name, file, layer)
    assert layer is not None  # without a name, a file of several layers has raised
    return FeatureSpace(name, layer, values.reshape(len(values), -1), file)


def _finite(run: str, file: FeatureFile, layer: str | None) -> np.ndarray:
    values = file.layer(layer)
    require_finite(values, f"{layer} of '{run}'")
    return values
