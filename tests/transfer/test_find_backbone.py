from __future__ import annotations

import pytest
from mmengine.model import ExponentialMovingAverage
from torch import nn
from torch.nn.parallel import DataParallel

from mmdetpre.transfer.find_backbone import find_backbone


def model() -> nn.Module:
    module = nn.Module()
    module.backbone, module.head = nn.Conv2d(3, 4, 1), nn.Linear(4, 2)
    return module


def test_under_wrappers() -> None:
    own = model()
    assert find_backbone(own) is own.backbone
    assert find_backbone(DataParallel(own)) is own.backbone
    averaged = ExponentialMovingAverage(own)
    assert find_backbone(averaged) is averaged.module.backbone


def test_by_name_and_what_there_is() -> None:
    both = nn.Module()
    both.student, both.teacher = model(), model()
    assert find_backbone(both, "teacher.backbone") is both.teacher.backbone
    with pytest.raises(ValueError, match="it has student.backbone, teacher.backbone"):
        find_backbone(both)
    with pytest.raises(ValueError, match="its parts are 0, 1"):
        find_backbone(nn.Sequential(nn.ReLU(), nn.ReLU()))
