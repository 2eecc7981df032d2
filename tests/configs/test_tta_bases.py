"""Every multi-scale base gives as many views as it has test ranges, with the scales it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmdetpre.models.size_range import checked_ranges

FOLDER = Path(__file__).parents[2] / "configs/_base_/tta"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_views_and_ranges_agree(path):
    init_default_scope("mmdet")
    cfg = Config.fromfile(path)
    image = np.zeros((48, 64, 3), np.uint8)
    start = dict(img=image, img_path=None, img_id=0, img_shape=(48, 64), ori_shape=(48, 64))
    box = dict(bbox=[1.0, 2.0, 30.0, 40.0], bbox_label=0, ignore_flag=0)
    views = Compose(cfg.tta_pipeline[1:])(dict(start, instances=[box]))["data_samples"]
    widths = [view.img_shape[1] for view in views]
    assert widths == sorted(set(widths), reverse=True)  # finest first, as the ranges
    assert all(view.gt_instances.bboxes.tensor.tolist() == [box["bbox"]] for view in views)  # original pixels
    ranges = checked_ranges(cfg.tta_model.test_ranges)
    if path.stem.startswith("rpn_"):
        assert ranges is None and cfg.tta_model["merge"]["type"] == "nms" and cfg.tta_model.max_per_img == 900
    else:
        assert len(ranges) == len(views) and ranges[0][0] < 0 and ranges[-1][1] < 0
        # No object size is lost between two scales.
        assert all(coarse[0] < fine[1] for fine, coarse in zip(ranges, ranges[1:], strict=False))
