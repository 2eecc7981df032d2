"""What the two fine classifiers compute."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import roi_align, roi_pool

from mmdetpre.models import DenseClassifier, PoolFirstClassifier

ROIS = torch.tensor([[0.0, 10.0, 20.0, 90.0, 70.0], [1.0, 0.0, 0.0, 127.0, 120.0], [1.0, 3.0, 5.0, 30.0, 120.0]])


def test_pool_first_averages_the_region_before_it_classifies():
    torch.manual_seed(0)
    head, x = PoolFirstClassifier(5, num_classes=11, fc_channels=6), torch.randn(2, 5, 8, 8)
    pooled = roi_align(x, ROIS, 7, 1 / 16, sampling_ratio=2, aligned=True).mean(dim=(2, 3))
    torch.testing.assert_close(head(x, ROIS), head.fc_cls(F.relu(head.fc(pooled))))


def test_dense_takes_the_maximum_of_each_bin_of_the_class_maps():
    torch.manual_seed(0)
    head, x = DenseClassifier(5, num_classes=11, feat_channels=6, rois_at_once=2), torch.randn(2, 5, 8, 8)
    expected = roi_pool(head.conv_cls(F.relu(head.conv(x))), ROIS, 7, 1 / 16).mean(dim=(2, 3))
    torch.testing.assert_close(head(x, ROIS), expected)
    with torch.no_grad():  # in parts
        torch.testing.assert_close(head(x, ROIS), expected)


@pytest.mark.parametrize("kind", [PoolFirstClassifier, DenseClassifier])
def test_no_regions_give_no_logits(kind):
    with torch.no_grad():
        assert kind(5, num_classes=11)(torch.randn(1, 5, 8, 8), ROIS[:0]).shape == (0, 11)
