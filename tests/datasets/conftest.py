"""A small data set in the layout of OpenImages, written for one test."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
CLASSES = {"/m/0k4": "Car", "/m/0veh": "Vehicle", "/m/0cat": "Cat"}
HIERARCHY = {
    "LabelName": "/m/0bl9f",
    "Subcategory": [{"LabelName": "/m/0veh", "Subcategory": [{"LabelName": "/m/0k4"}]}, {"LabelName": "/m/0cat"}],
}


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """A smooth random RGB picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (max(height // 16, 2), max(width // 16, 2), 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def row(image: str, mid: str = "/m/0k4", box=(0.1, 0.5, 0.2, 0.8), occluded=0, truncated=0, group_of=0) -> str:
    """A CSV row; ``box`` is XMin, XMax, YMin, YMax as in the file."""
    return f"{image},xclick,{mid},1,{','.join(map(str, box))},{occluded},{truncated},{group_of},0,0"


@dataclass
class OpenImagesFolder:
    root: Path
    rows: list[str] = field(default_factory=list)

    @property
    def images(self) -> Path:
        return self.root / "OpenImages" / "train"

    @property
    def csv(self) -> Path:
        return self.root / "annotations" / "train.csv"

    def write(self, rows: list[str], header: str = HEADER) -> OpenImagesFolder:
        self.images.mkdir(parents=True, exist_ok=True)
        self.csv.parent.mkdir(exist_ok=True)
        self.csv.write_text("\n".join([header, *rows]) + "\n")
        (self.csv.parent / "classes.csv").write_text("".join(f"{mid},{name}\n" for mid, name in CLASSES.items()))
        (self.csv.parent / "hierarchy.json").write_text(json.dumps(HIERARCHY))
        return self

    def photo(self, name: str, width: int = 200, height: int = 100, **options) -> OpenImagesFolder:
        (self.images / f"{name}.jpg").write_bytes(encoded(picture(width, height, seed=width + height), **options))
        return self

    def config(self, **changes) -> dict:
        return {
            "type": "mmdetpre.PackedOpenImagesDataset",
            "data_root": str(self.root),
            "data_prefix": {"img": "OpenImages/train/"},
            "ann_file": "annotations/train.csv",
            "label_file": "annotations/classes.csv",
            "hierarchy_file": "annotations/hierarchy.json",
            "classes": None,
        } | changes


@pytest.fixture
def folder(tmp_path: Path) -> OpenImagesFolder:
    """Three photos and four boxes: a has a car and a group of cats, b a cat, c a vehicle."""
    rows = [
        row("a", "/m/0k4", (0.1, 0.5, 0.2, 0.8), occluded=1),
        row("b", "/m/0cat", (0, 1, 0, 1), truncated=1),
        row("a", "/m/0cat", (0.25, 0.75, 0.5, 1), group_of=1),
        row("c", "/m/0veh", (0.5, 0.625, 0.1, 0.2), occluded=-1, truncated=-1, group_of=-1),
    ]
    made = OpenImagesFolder(tmp_path / "data").write(rows)
    return made.photo("a").photo("b", 120, 160).photo("c", 64, 64)


@pytest.fixture
def openimages_files() -> SimpleNamespace:
    """What writes files of OpenImages: rows of the CSV and their header, pictures and their bytes, a folder."""
    return SimpleNamespace(row=row, picture=picture, encoded=encoded, OpenImagesFolder=OpenImagesFolder, HEADER=HEADER)
