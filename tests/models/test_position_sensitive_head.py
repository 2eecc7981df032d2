"""Position-sensitive pooling reads the channels that the original reads."""

import pytest
import torch

from mmdetpre.models import PositionSensitiveHead


def test_channels_are_class_then_row_then_column():
    head = PositionSensitiveHead(4, num_classes=1)
    maps = torch.arange(98.0).view(1, 98, 1, 1).expand(1, 98, 32, 32)
    rois = torch.tensor([[0.0, 64.0, 32.0, 192.0, 160.0]])
    assert head.pool(maps, rois)[0].tolist() == [24.0, 73.0]
    # One channel at a time: the first three bins of the first row are channels 0 to 2, the second row begins with 7.
    for channel, (row, column) in {0: (0, 0), 1: (0, 1), 2: (0, 2), 7: (1, 0), 48: (6, 6)}.items():
        spot = torch.zeros(1, 98, 32, 32)
        cell = 18.2857  # 128 pixels in 7 bins
        x, y = 64 + (column + 0.5) * cell, 32 + (row + 0.5) * cell
        spot[0, channel] = torch.exp(
            -((torch.arange(32.0)[None] * 16 + 8 - x) ** 2 + (torch.arange(32.0)[:, None] * 16 + 8 - y) ** 2) / 100
        )
        best = head.pool(spot, rois)[0, 0]
        for other in {0, 1, 2, 7, 48} - {channel}:
            moved = torch.zeros_like(spot)
            moved[0, other] = spot[0, channel]
            assert head.pool(moved, rois)[0, 0] < best, (channel, other)


def test_a_ramp_is_pooled_at_the_center_of_the_region():
    head = PositionSensitiveHead(4, num_classes=1)
    ramp = (torch.arange(32.0)[None] + 10 * torch.arange(32.0)[:, None]).expand(1, 49, 32, 32)
    rois = torch.tensor([[0.0, 64.0, 32.0, 192.0, 160.0]])
    # Centre (128, 96) pixels is (7.5, 5.5) on the map.
    assert head.pool(ramp, rois).item() == pytest.approx(7.5 + 10 * 5.5, rel=1e-5)


def test_shapes_and_no_activation_after_the_projection():
    head = PositionSensitiveHead(4, num_classes=3, feat_channels=2)
    scores, deltas = head(torch.randn(2, 4, 8, 8), torch.tensor([[1.0, 0.0, 0.0, 64.0, 64.0], [0, 0, 0, 9, 9]]))
    assert scores.shape == (2, 4) and deltas.shape == (2, 4)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.conv_proj.weight.fill_(-1.0)
        head.conv_cls.weight.fill_(1.0)
    scores, _ = head(torch.ones(1, 4, 8, 8), torch.tensor([[0.0, 0.0, 0.0, 64.0, 64.0]]))
    assert scores[0].tolist() == pytest.approx([-8.0] * 4)
