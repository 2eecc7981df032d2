"""Maps of images with their classes and settings, as a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mmdetpre.analysis.features.feature_file import FeatureFile, require_finite, require_same_images
from mmdetpre.analysis.features.select_classes import choose_classes, classes_apart
from mmdetpre.analysis.tsne.tsne import COMPONENTS, PERPLEXITY, THETA, TsneMap, check_settings, tsne_maps
from mmdetpre.utils.results import Cell, Result

MOST_CLASSES = 45
"""So many classes can be distinguished in a map, by nine colors and five shapes."""


@dataclass(frozen=True)
class MapSource:
    """Which features a map is of; ``layer`` is None where the file holds one only."""

    name: str
    file: str
    layer: str | None


@dataclass(frozen=True)
class TsneSettings:
    """How maps were made, see :func:`~mmdetpre.analysis.tsne.tsne.tsne_map`."""

    perplexity: float
    theta: float
    components: int
    seed: int
    runs: tuple[MapSource, ...] = ()


@dataclass(frozen=True, eq=False)
class TsneMaps(Result):
    """Places of the same images in the maps of several feature spaces.

    Attributes:
        settings: How they were made.
        images, labels: Names of the images and their classes, -1 where there is none.
        classes: Names of the classes; may be empty.
        shown: Classes that the picture colors, in this order.
        maps: Name and map of each space.
    """

    kind: ClassVar[str] = "t-SNE"
    alone: ClassVar[bool] = True

    settings: TsneSettings
    images: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    shown: tuple[int, ...]
    maps: dict[str, TsneMap]

    def class_name(self, label: int) -> str:
        """Name of a class; its number where the names are not known."""
        return self.classes[label] if self.classes else str(label)

    def rows(self) -> list[list[Cell]]:
        """A line per image, with its place in each map."""
        rows: list[list[Cell]] = [
            ["image", "label", "class", "coloured", *(f"{name} {axis}" for name in self.maps for axis in "xy")]
        ]
        points = [one.points.tolist() for one in self.maps.values()]
        for row, (image, label) in enumerate(zip(self.images, self.labels, strict=True)):
            name = self.classes[label] if label >= 0 and self.classes else ""
            places = [value for of_map in points for value in of_map[row]]
            rows.append([image, label, name, int(label in self.shown), *places])
        return rows

    def __str__(self) -> str:
        """What the maps miss, and which classes are colored."""
        lines = [
            f"{name}: {len(one.points)} images, Kullback-Leibler divergence {one.kl_divergence:.3f} nats"
            for name, one in self.maps.items()
        ]
        return "\n".join([*lines, f"Colored: {', '.join(map(self.class_name, self.shown))}"])


def check_shown(count: int) -> None:
    """Check how many classes a picture is to color.

    Raises:
        ValueError: If there are more than can be distinguished.
    """
    if count > MOST_CLASSES:
        raise ValueError(
            f"{count} classes are to be colored, and {MOST_CLASSES} can be distinguished: choose fewer (--classes)."
        )


def maps_of_files(
    files: Mapping[str, FeatureFile],
    layers: Sequence[str | None] = (None,),
    wanted: Sequence[str] = ("10",),
    choice: str = "random",
    *,
    perplexity: float = PERPLEXITY,
    theta: float = THETA,
    components: int = COMPONENTS,
    seed: int = 0,
    progress: bool = False,
) -> TsneMaps:
    """Maps of the same images in several feature files.

    Args:
        files: Name and features of each, of the same images.
        layers: The layer of all, or one of each; None: the only one.
        wanted: Names or numbers of the classes to color, or how many.
        choice: Of so many classes: ``random``, drawn by the seed, or ``apart``, those farthest apart in all spaces.
        perplexity, theta, components, seed: As for :func:`~mmdetpre.analysis.tsne.tsne.tsne_map`.
        progress: Show a progress bar.

    Raises:
        ValueError: If images, layers, classes or settings do not fit.
    """
    layers = [*layers] * (len(files) if len(layers) == 1 else 1)
    if len(layers) != len(files):
        raise ValueError(f"{len(layers)} layers for {len(files)} runs: give the one of all, or one of each.")
    first = next(iter(files.values()))
    require_same_images(*files.values())
    check_settings(len(first), perplexity, theta, components)
    count = int(wanted[0]) if len(wanted) == 1 and wanted[0] not in first.classes and wanted[0].isdecimal() else None
    check_shown(len(wanted) if count is None else count)
    spaces = {}
    for (name, file), layer in zip(files.items(), layers, strict=True):
        spaces[name] = file.layer(layer)
        require_finite(spaces[name], f"{layer or next(iter(file.layers))} of '{name}'")
    if count is not None and choice == "apart":
        shown = classes_apart(list(spaces.values()), first.labels, count)
    else:
        shown = choose_classes(first.labels, first.classes, wanted if count is None else count, seed=seed)
    settings: dict[str, Any] = dict(perplexity=perplexity, theta=theta, components=components, seed=seed)
    sources = zip(files.items(), layers, strict=True)
    return TsneMaps(
        TsneSettings(**settings, runs=tuple(MapSource(name, str(file.path), layer) for (name, file), layer in sources)),
        first.images,
        tuple(first.labels.tolist()),
        first.classes,
        tuple(shown),
        tsne_maps(spaces, **settings, progress=progress),
    )
