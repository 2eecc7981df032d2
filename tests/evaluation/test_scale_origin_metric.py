"""Which scale found what: every row is COCO's number of its detections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmdetpre.registry import METRICS

CLASSES = ("cat", "dog")
SIDES = (20.0, 60.0, 200.0)  # small, medium, large
SHAPE = (400, 500)


def sample(image: int, boxes: list[list[float]], scales: list[int] | None) -> dict[str, Any]:
    """An image with a cat of each size; detections are cats."""
    instances = [dict(bbox=[10, 10, 10 + side, 10 + side], bbox_label=0, ignore_flag=0) for side in SIDES]
    found = dict(bboxes=torch.tensor(boxes).reshape(-1, 4), labels=torch.zeros(len(boxes), dtype=torch.long))
    found["scores"] = torch.linspace(0.9, 0.5, len(boxes))
    if scales is not None:
        found["scales"] = torch.tensor(scales)
    return dict(img_id=image, ori_shape=SHAPE, instances=instances, pred_instances=found)


def measured(*samples: dict[str, Any]) -> dict[str, float]:
    metric = METRICS.build(dict(type="mmdetpre.ScaleOriginMetric"))
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_each_scale_is_measured_alone_and_left_out() -> None:
    right = [[10, 10, 10 + side, 10 + side] for side in SIDES]
    found = measured(sample(1, right, [0, 1, 1]), sample(2, right[:1], [0]))
    area = {name: found[f"scale_origin/{name}"] for name in ("mAP_s", "mAP_m", "mAP_l")}
    assert area["mAP_s"] == 1.0 and 0.5 <= area["mAP_m"] < 0.52 and 0.5 <= area["mAP_l"] < 0.52
    assert found["scale_origin/scale0_alone/mAP_s"] == 1.0 == found["scale_origin/scale1_left_out/mAP_s"]
    assert found["scale_origin/scale0_alone/mAP_l"] == 0.0 == found["scale_origin/scale0_left_out/mAP_s"]
    assert found["scale_origin/scale1_alone/mAP_l"] == area["mAP_l"] == found["scale_origin/scale0_left_out/mAP_l"]
    assert 0 < found["scale_origin/scale1_alone/mAP"] < found["scale_origin/mAP"]


def test_rows_are_those_of_cocos_metric_on_these_detections() -> None:
    random = np.random.default_rng(0)
    samples, alone = [], []
    for image in range(4):
        corners = random.uniform(5, 15, (12, 2))
        boxes = np.hstack([corners, corners + np.repeat(SIDES, 4)[:, None] * random.uniform(0.8, 1.2, (12, 2))])
        scales = random.integers(0, 3, 12)
        samples.append(sample(image, boxes.astype(np.float32).tolist(), scales.tolist()))
        alone.append(sample(image, [], None))
        keep = torch.from_numpy(scales == 2)
        alone[-1]["pred_instances"] = {key: value[keep] for key, value in samples[-1]["pred_instances"].items()}
    metric = METRICS.build(dict(type="mmdetpre.CocoMetric"))
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, alone)
    expected, found = metric.evaluate(4), measured(*samples)
    assert all(found[f"scale_origin/scale2_alone/{key}"] == expected[f"coco/bbox_{key}"] for key in ("mAP", "mAP_m"))


def test_detections_without_a_scale_and_other_measures_are_refused() -> None:
    with pytest.raises(ValueError, match="do not say which scale they come from. Test with --tta"):
        measured(sample(1, [], None))
    for options in (dict(metric="proposal"), dict(format_only=True, outfile_prefix="x"), dict(outfile_prefix="x")):
        with pytest.raises(ValueError, match="leave metric, format_only and outfile_prefix out"):
            METRICS.build(dict(type="mmdetpre.ScaleOriginMetric", **options))


def test_nothing_found_is_zero() -> None:
    found = measured(sample(1, [], []))
    assert found["scale_origin/mAP"] == 0.0 and not any("scale0" in name for name in found)
