"""The numbers behind maps of images, as CSV or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdetpre.analysis.features.feature_file import FeatureFile
from mmdetpre.analysis.tsne.tsne import TsneMap
from mmdetpre.utils.whole_file import write_json, write_rows

FORMAT = "mmdetpre t-SNE"


def write_maps(
    path: Path, maps: Mapping[str, TsneMap], file: FeatureFile, shown: Sequence[int], settings: Mapping[str, Any]
) -> None:
    """Write the place of every image in every map.

    Args:
        path: ``.csv``: a line per image with ``NAME x`` and ``NAME y`` of each map. ``.json``: settings and divergences
            too.
        maps: Name and map of each feature space.
        file: Features that images, classes and labels are taken from.
        shown: Classes that the picture colours.
        settings: How the maps were made.
    """
    classes = [file.classes[label] if label >= 0 and file.classes else "" for label in file.labels]
    coloured = [int(label) in shown for label in file.labels]
    if path.suffix == ".csv":
        rows: list[list[object]] = [
            ["image", "label", "class", "coloured", *(f"{name} {axis}" for name in maps for axis in "xy")]
        ]
        for row, image in enumerate(file.images):
            places = [value for one in maps.values() for value in one.points[row].tolist()]
            rows.append([image, int(file.labels[row]), classes[row], int(coloured[row]), *places])
        write_rows(path, rows)
        return
    content = {
        "format": FORMAT,
        "settings": dict(settings),
        "images": list(file.images),
        "labels": file.labels.tolist(),
        "classes": list(file.classes),
        "shown": list(shown),
        "maps": {
            name: {"kl_divergence": one.kl_divergence, "points": one.points.tolist()} for name, one in maps.items()
        },
    }
    write_json(path, content, indent=None)
