import cv2
import numpy as np
import pytest

from mmdetpre.chips.scale import scaled_size
from mmdetpre.datasets.coco.outlines import outline_runs
from mmdetpre.datasets.images.decoding import BrokenImageError
from mmdetpre.datasets.packed.annotations import IGNORE
from mmdetpre.datasets.transforms import FlipChip, LoadChip, PackChipInputs


@pytest.fixture
def results(tmp_path, openimages_files):
    path = tmp_path / "a.jpg"
    path.write_bytes(openimages_files.encoded(openimages_files.picture(200, 100), quality=95))
    return {
        "img_path": str(path),
        "width": 200,
        "height": 100,
        "chip": (40, 10, 120, 80),
        "chip_scale": 0.9,
        "valid": np.array([0, 3], np.int32),
        "boxes": np.array(
            [[50, 20, 90, 60], [0, 0, 60, 30], [0, 0, 45.5, 100], [150, 50, 200, 100], [60, 30, 80, 50]], np.float32
        ),
        "labels": np.array([3, 1, 2, 0, 5], np.int16),
        "flags": np.array([0, 0, 0, 0, IGNORE], np.uint8),
    }


def test_boxes_are_carried_into_the_chip(results):
    out = LoadChip().transform(results)
    expected = np.array([[5, 8, 41, 44], [0, 0, 14, 17], [95, 35, 120, 80], [14, 17, 32, 35]])
    np.testing.assert_allclose(out["gt_bboxes"].tensor.numpy(), expected, atol=1e-3)  # the third shows 0.95 pixels
    assert out["gt_bboxes_labels"].tolist() == [3, 1, 0, 5] and out["gt_bboxes_labels"].dtype == np.int64
    assert out["gt_ignore_flags"].tolist() == [False, True, False, True]
    assert out["gt_group_flags"].tolist() == [False, False, False, True]
    assert out["img"].shape == (80, 120, 3) and out["img_shape"] == (80, 120) and out["ori_shape"] == (100, 200)
    assert out["scale_factor"] == (0.9, 0.9)


def test_masks_of_the_objects_alone_are_cut_to_the_chip_flipped_and_packed(results):
    masks = {}
    for k in (0, 3):
        x1, y1, x2, y2 = results["boxes"][k].tolist()
        outline = [[x1, y1, x2, y1, x2, y2, x1, y2]]
        masks[k] = {"size": [100, 200], "counts": outline_runs(outline, 200, 100)}
    masks[3] = None  # not known: an empty mask
    out = LoadChip().transform(results | {"masks": masks})
    assert out["gt_masks"].masks.shape == (2, 80, 120) and not out["gt_masks"].masks[1].any()
    assert out["gt_masks"].get_bboxes("hbox").tensor[0].tolist() == pytest.approx([5, 8, 41, 44])
    cut = out["gt_masks"].masks.copy()
    sample = PackChipInputs().transform(FlipChip(1.0).transform(out))["data_samples"]
    assert np.array_equal(sample.gt_instances.masks.masks, cut[:, :, ::-1])
    assert "masks" not in sample.ignored_instances
    with pytest.raises(ValueError, match="2 boxes that are not ignored but 1 gt_masks"):
        PackChipInputs().transform(out | {"gt_masks": out["gt_masks"][:1]})


def test_a_group_box_is_never_valid(results):
    results["valid"] = np.arange(5, dtype=np.int32)
    assert LoadChip().transform(results)["gt_ignore_flags"].tolist() == [False, False, False, True]


def test_a_chip_without_boxes(results):
    results |= {"boxes": np.zeros((0, 4), np.float32), "valid": np.zeros(0, np.int32)}
    results |= {"labels": np.zeros(0, np.int16), "flags": np.zeros(0, np.uint8)}
    out = LoadChip().transform(results)
    assert len(out["gt_bboxes"]) == 0 and out["gt_ignore_flags"].shape == (0,)


@pytest.mark.parametrize("s", [0.5, 0.4, 0.25, 0.2, 0.1])
def test_small_decoding_gives_nearly_the_same_pixels(results, s):
    width, height = scaled_size(200, 100, s)
    results |= {"chip": (0, 0, width, height), "chip_scale": s}
    small = LoadChip().transform(results)["img"]
    full = cv2.resize(cv2.imread(results["img_path"]), (width, height), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - full).mean() < 6


def test_a_missing_file_is_a_broken_image(results, tmp_path):
    results["img_path"] = str(tmp_path / "absent.jpg")
    with pytest.raises(BrokenImageError, match="missing"):
        LoadChip().transform(results)
    results["img_path"] = str(tmp_path)
    with pytest.raises(BrokenImageError, match="cannot be read"):
        LoadChip().transform(results)
