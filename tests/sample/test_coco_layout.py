from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as masks
from pycocotools.coco import COCO

from mmdetpre.sample import World, render
from mmdetpre.sample.coco_layout import polygons, run_lengths
from mmdetpre.sample.instances import annotate


@pytest.mark.parametrize(("split", "folder", "first"), [("train", "train2017", 1), ("validation", "val2017", 500_001)])
def test_pycocotools_reads_what_was_drawn(tiny_coco: Path, split: str, folder: str, first: int) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tiny_coco / "annotations" / f"instances_{folder}.json"))
    world = World("source")
    names = {category["id"]: category["name"] for category in coco.dataset["categories"]}
    assert list(names.values()) == [c.name for c in world.classes]
    assert sorted(path.name for path in (tiny_coco / folder).iterdir()) == sorted(
        image["file_name"] for image in coco.dataset["images"]
    )
    crowds = 0
    for i, (number, image) in enumerate(sorted(coco.imgs.items())):
        assert number == first + i
        scene = world.scene(split, i)
        drawn = render(scene)
        assert (image["width"], image["height"]) == scene.size
        instances, annotations = annotate(scene, drawn), coco.imgToAnns[number]
        for instance, ann in zip(instances, annotations, strict=True):
            x1, y1, x2, y2 = instance.box
            assert ann["bbox"] == [x1, y1, x2 - x1, y2 - y1] and ann["area"] == instance.area
            assert names[ann["category_id"]] == world.classes[instance.label].name
            mask, truth = coco.annToMask(ann).astype(bool), np.isin(drawn.owner, instance.objects)
            if ann["iscrowd"]:
                crowds += 1
                np.testing.assert_array_equal(mask, truth)
            else:
                assert mask[truth].mean() > 0.99  # holes are filled, nothing visible is left out
    assert crowds or split == "validation"


def test_ids_are_unique_over_both_files(tiny_coco: Path) -> None:
    files = [json.loads(path.read_text()) for path in sorted((tiny_coco / "annotations").glob("instances_*.json"))]
    for key in ("images", "annotations"):
        ids = [item["id"] for content in files for item in content[key]]
        assert len(ids) == len(set(ids)) > 0


def test_masks_of_random_pixels_survive_both_encodings() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        mask = np.kron(rng.random((6, 7)) < 0.4, np.ones((3, 3), bool))
        mask[0, 0] = True
        encoded = masks.frPyObjects(run_lengths(mask), *mask.shape)
        np.testing.assert_array_equal(masks.decode(encoded), mask)
        filled = masks.decode(masks.merge(masks.frPyObjects(polygons(mask), *mask.shape))).astype(bool)
        assert filled[mask].all()
        rows, columns = np.nonzero(mask)
        assert masks.toBbox(masks.merge(masks.frPyObjects(polygons(mask), *mask.shape))).tolist() == [
            columns.min(),
            rows.min(),
            columns.max() + 1 - columns.min(),
            rows.max() + 1 - rows.min(),
        ]


def test_test_dev_has_the_images_of_validation_and_no_boxes(tiny_coco: Path) -> None:
    names = ("image_info_test-dev2017", "instances_val2017")
    secret, known = (json.loads((tiny_coco / "annotations" / f"{name}.json").read_text()) for name in names)
    assert "annotations" not in secret and known["annotations"]
    assert all(secret[key] == known[key] for key in ("images", "categories"))
