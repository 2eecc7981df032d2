import numpy as np
import pytest

from mmdetpre.datasets.packed.packing import pack_dataset
from mmdetpre.registry import DATASETS


class Infos:
    """The least interface of a detection data set."""

    metainfo = {"classes": ("cat", "dog")}

    def __init__(self, infos):
        self.infos = infos

    def __len__(self):
        return len(self.infos)

    def get_data_info(self, i):
        return self.infos[i]


def info(**changes):
    instances = [{"bbox": [1, 2, 30, 40], "bbox_label": 1, "ignore_flag": 0}]
    return {"img_path": "a.jpg", "width": 50, "height": 60, "instances": instances} | changes


def test_ignored_and_group_boxes_are_flagged():
    crowd = {"bbox": [0, 0, 9, 9], "bbox_label": 0, "ignore_flag": 1}
    group = {"bbox": [0, 0, 9, 9], "bbox_label": 0, "is_group_of": True}
    packed = pack_dataset(Infos([info(), info(instances=[]), info(instances=[crowd, group])]))
    assert packed.ignore.tolist() == [False, True, True] and packed.box_offsets.tolist() == [0, 1, 1, 3]
    assert packed.path(0) == "a.jpg" and packed.classes == ("cat", "dog")


def test_missing_sizes_and_missing_boxes_are_named():
    with pytest.raises(ValueError, match="Infos: image a.jpg has no width and height"):
        pack_dataset(Infos([info(width=None)]))
    with pytest.raises(ValueError, match="none of its 2 images has a box"):
        pack_dataset(Infos([info(instances=[]), info(instances=[])]))


def test_coco_is_packed_box_by_box(shared_data):
    root = shared_data / "coco_tiny"
    dataset = DATASETS.build(
        {
            "type": "mmdet.CocoDataset",
            "ann_file": str(root / "annotations" / "instances_train2017.json"),
            "data_prefix": {"img": str(root / "train2017")},
        }
    )
    packed = pack_dataset(dataset)
    assert len(packed) == 80 and len(packed.boxes) + sum(packed.notes.values()) == 705
    for i in (0, 41, 79):
        expected = dataset.get_data_info(i)
        assert packed.path(i) == expected["img_path"]
        assert packed.sizes[i].tolist() == [expected["width"], expected["height"]]
        np.testing.assert_allclose(packed.boxes_of(i), [x["bbox"] for x in expected["instances"]], atol=1e-3)
