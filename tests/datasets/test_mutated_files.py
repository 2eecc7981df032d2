"""Every reader of lists, tables, label maps and pixels ends with a value or an error of ours, whatever a file holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image

from mmdetpre.datasets.classification.class_split import read_split
from mmdetpre.datasets.classification.flowers102 import Flowers102
from mmdetpre.datasets.imagenet.wordnet import read_class_map, read_wnid_names, read_wnids
from mmdetpre.datasets.images.decode_check import broken_images
from mmdetpre.datasets.images.lists import read_image_list
from mmdetpre.datasets.label_maps.files import check_label_map, read_label_map
from mmdetpre.datasets.openimages.boxes_csv import read_box_csv
from mmdetpre.datasets.openimages.classes import read_class_descriptions, relation_matrix
from mmdetpre.datasets.openimages.image_labels import read_image_labels
from mmdetpre.utils.class_list import read_class_list, read_class_names

IMAGES = {"cat": [f"{i}.jpg" for i in range(6)], "dog": ["day2/1.jpg"]}
WNIDS = "n01440764 n02512053\nn02084071 n02512053\n"
HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
ROWS = "".join(f"{i:016x},xclick,/m/0k4j,1,0.1,0.{i % 8 + 2},0.25,0.75,0,1,-1,0,0\n" for i in range(12))
LABELS = {"/m/0k4j": 0, "/m/01yrx": 1}


def read_map(path: Path) -> None:
    labels = read_label_map(path)
    try:
        check_label_map(labels, classes=3)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


READERS: dict[str, tuple[str | np.ndarray, Callable[[Path], Any]]] = {
    "classes.csv": ('LabelName,DisplayName\n/m/0k4j,Car\n/m/01yrx,"Cat, big"\n', read_class_descriptions),
    "names.txt": ("cat\ntraffic light\ndog\n", read_class_names),
    "ids.txt": ("n01440764 tench\nn02084071 dog\n", read_class_list),
    "wnids.txt": ("n01440764\nn02084071\n", read_wnids),
    "words.txt": ("n01440764\ttench, Tinca\nn02084071\tdog\n", read_wnid_names),
    "map.txt": (WNIDS, read_class_map),
    "train.txt": ("cat/1.jpg\ncat/2.jpg\ndog/day2/1.jpg\n", lambda path: read_split(path, path.parent, IMAGES)),
    "val.txt": ("2007_000033  1\n2007_000042 -1\n", read_image_list),
    "boxes.csv": (f"{HEADER}\n{ROWS}", lambda path: read_box_csv(path, LABELS)),
    "labels.csv": (
        "ImageID,Source,LabelName,Confidence\na,verification,/m/0k4j,1\n",
        lambda p: read_image_labels(p, LABELS),
    ),
    "hierarchy.json": (
        '{"LabelName": "/m/0", "Subcategory": [{"LabelName": "/m/1"}]}',
        lambda p: relation_matrix(p, ["/m/1"]),
    ),
    "map.png": (np.array([[0, 1], [2, 255]], np.uint8).repeat(20, 0).repeat(20, 1), read_map),
    "map16.png": (np.array([[0, 1], [2, 255]], np.uint16).repeat(20, 0).repeat(20, 1), read_map),
    "photo.jpg": (np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8), lambda path: broken_images([path])),
    "photo.png": (np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8), lambda path: broken_images([path])),
    "photo.tiff": (
        np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8),
        lambda path: broken_images([path]),
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_end_with_a_value_or_an_error_of_ours(name: str, tmp_path: Path, hold: Callable) -> None:
    content, read = READERS[name]
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    else:
        Image.fromarray(content).save(path)
    read(path)
    hold(lambda: read(path), path)


@pytest.mark.parametrize("name", ["setid.mat", "imagelabels.mat"])
def test_damaged_files_of_flowers(name: str, tmp_path: Path, hold: Callable) -> None:
    split = {part: np.array([[2 * i + 1, 2 * i + 2]], np.uint16) for i, part in enumerate(("trnid", "valid", "tstid"))}
    scipy.io.savemat(tmp_path / "setid.mat", split, do_compression=True)
    scipy.io.savemat(
        tmp_path / "imagelabels.mat", {"labels": np.arange(1, 7, dtype=np.uint8)[None]}, do_compression=True
    )
    assert len(Flowers102(str(tmp_path), "trainval", check_files=False)) == 4
    hold(lambda: Flowers102(str(tmp_path), "test", check_files=False), tmp_path / name)
