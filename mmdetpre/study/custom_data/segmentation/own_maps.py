"""Photos with label maps, checked: one part of a user's segmentation data."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

import numpy as np
from PIL import Image

BACKGROUND, VOID = "background", 255
MOST_CLASSES = 255
"""Labels of one byte, without that of void pixels."""


@dataclass(frozen=True)
class OwnMaps:
    """Photos and label maps, with nothing in them that cannot be used.

    Attributes:
        source: What they were read from.
        form: Its format.
        images_dir, maps_dir: Folders that the names are relative to; ``maps_dir`` is None where maps are drawn.
        images, maps: Names of the N photos and of their label maps.
        classes: Names of the classes in label order.
        pixels: Number of pixels of each label, of each map.
        drawn: Name of a map -> its PNG, of maps that are not files yet.
        part: The part of the source; "": all of it.
        left_out: How many things were left out, by what they are.
        remarks: What to say of data that are used.
        part_of: Name of a map -> its part, where lists or folders tell.
    """

    source: Path
    form: str
    images_dir: Path
    maps_dir: Path | None
    images: list[str]
    maps: list[str]
    classes: list[str]
    pixels: list[dict[int, int]]
    drawn: Mapping[str, bytes] = field(default_factory=dict)
    part: str = ""
    left_out: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    part_of: Mapping[str, str] = field(default_factory=dict)

    def paths(self) -> list[Path]:
        """Paths of the photos."""
        return [self.images_dir / name for name in self.images]

    def of(self, rows: Sequence[int], part: str = "") -> OwnMaps:
        """Some of the photos with their maps; all classes stay."""
        images, maps = [self.images[i] for i in rows], [self.maps[i] for i in rows]
        drawn = {name: self.drawn[name] for name in maps if name in self.drawn}
        return replace(
            self, images=images, maps=maps, pixels=[self.pixels[i] for i in rows], drawn=drawn, part=part or self.part
        )

    def shown(self) -> list[set[int]]:
        """The labels of each map."""
        return [set(counts) - {VOID} for counts in self.pixels]

    def totals(self) -> Counter[int]:
        """Number of pixels of each label."""
        return sum((Counter(counts) for counts in self.pixels), Counter())


def require_parts(train: OwnMaps, test: OwnMaps) -> None:
    """Refuse parts that cannot be trained on, or tested.

    Raises:
        ValueError: If there are fewer than two classes, one of them alone in the training part, or two test photos of
            one name.
    """
    labels = set(train.totals()) - {VOID}
    if len(train.classes) < 2 or len(labels) < 2:
        found = ", ".join(train.classes[label] for label in sorted(labels)) or "none"
        raise ValueError(
            f"{train.source}: the training maps show one class alone ({found}), or none: segmentation needs two, such"
            " as background and object."
        )
    if len(train.classes) > MOST_CLASSES:
        raise ValueError(f"{train.source} has {len(train.classes)} classes: label maps hold {MOST_CLASSES} at most.")
    stem, times = Counter(PurePath(name).stem for name in test.images).most_common(1)[0]
    if times > 1:
        raise ValueError(
            f"{test.source}: {times} test photos are called {stem}: the study keeps a prediction for each name. Rename"
            " them."
        )


def label_png(labels: np.ndarray) -> bytes:
    """A gray PNG of (h, w) uint8 labels."""
    file = io.BytesIO()
    Image.fromarray(labels).save(file, "PNG")
    return file.getvalue()
