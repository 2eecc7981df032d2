"""VOC's flags in a COCO file: read where they are, unknown where they are not."""

from __future__ import annotations

import json
from pathlib import Path

from mmengine.registry import init_default_scope
from PIL import Image

from mmdetpre.datasets.packed.annotations import DIFFICULT, IGNORE, OCCLUDED
from mmdetpre.registry import DATASETS

BOXES = [
    {"bbox": [1, 2, 20, 10], "occluded": 1, "difficult": 0},
    {"bbox": [30, 2, 20, 10], "occluded": 0, "difficult": 1},
    {"bbox": [1, 20, 20, 10]},
]


def dataset(root: Path, boxes: list[dict]):
    init_default_scope("mmdet")
    Image.new("RGB", (64, 48)).save(root / "a.png")
    content = {
        "images": [{"id": 4, "file_name": "a.png", "width": 64, "height": 48}],
        "annotations": [box | {"id": i, "image_id": 4, "category_id": 9} for i, box in enumerate(boxes)],
        "categories": [{"id": 9, "name": "cat"}],
    }
    (root / "a.json").write_text(json.dumps(content))
    return DATASETS.build(
        dict(type="mmdetpre.PackedCocoDataset", data_root=str(root), ann_file="a.json", classes=["cat"], test_mode=True)
    )


def test_flags_of_a_file_that_has_them(tmp_path: Path) -> None:
    data = dataset(tmp_path, BOXES)
    assert data.packed.flags.tolist() == [OCCLUDED, IGNORE | DIFFICULT, 0]
    first, second, third = data.get_data_info(0)["instances"]
    assert (first["is_occluded"], first["is_difficult"], first["ignore_flag"]) == (True, False, 0)
    assert (second["is_occluded"], second["is_difficult"], second["ignore_flag"]) == (False, True, 1)
    assert (third["is_occluded"], third["is_difficult"]) == (False, False)
    assert "is_truncated" not in first


def test_a_file_without_flags_says_nothing_of_them(tmp_path: Path) -> None:
    (instance,) = dataset(tmp_path, [{"bbox": [1, 2, 20, 10]}]).get_data_info(0)["instances"]
    assert set(instance) == {"bbox", "bbox_label", "ignore_flag"}
