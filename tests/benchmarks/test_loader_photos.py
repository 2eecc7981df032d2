"""Photos of a user stay where they are, and keep their boxes."""

import json

import numpy as np
import pytest
from loader_photos import LOOKS, generated, link_data, write_data


def test_a_users_photos_are_linked_with_their_boxes(tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    write_data(mine, generated(LOOKS["COCO"], 3, seed=0), seed=0)
    photos, annotations = mine / "train2017", mine / "annotations" / "instances_train2017.json"
    other.mkdir()
    link_data(other, photos, annotations, count=2, seed=1)
    assert (other / "train2017").resolve() == photos.resolve()
    before, after = (json.loads((p / "annotations" / annotations.name).read_text()) for p in (mine, other))
    chosen = {image["id"] for image in after["images"]}
    assert len(chosen) == 2 and chosen < {image["id"] for image in before["images"]}
    assert after["annotations"] == [a for a in before["annotations"] if a["image_id"] in chosen]
    assert np.isin([a["image_id"] for a in after["annotations"]], list(chosen)).all()


def test_photos_of_other_annotations_are_named(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"images": [], "annotations": []}))
    with pytest.raises(FileNotFoundError, match="No image with boxes that .*a.json lists lies in"):
        link_data(tmp_path, tmp_path, tmp_path / "a.json", 2, 0)
