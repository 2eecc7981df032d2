from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.analysis.activation.activation import activation_map, mean_activation


@given(
    st.integers(1, 4), st.integers(1, 7), st.integers(2, 7), st.integers(1, 40), st.integers(2, 40), st.integers(0, 9)
)
def test_is_the_resized_mean_from_0_to_255(c: int, h: int, w: int, height: int, width: int, seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(c, h, w)).astype(np.float32)
    found = activation_map(features, (height, width))
    assert found.shape == (height, width) and found.dtype == np.uint8
    mean = features.astype(np.float64).mean(axis=0)
    scaled = torch.from_numpy((mean - mean.min()) / np.ptp(mean) * 255)[None, None]
    expected = torch.nn.functional.interpolate(scaled, (height, width), mode="bilinear", align_corners=False)[0, 0]
    np.testing.assert_allclose(found, expected, atol=0.51)


def test_keeps_least_and_greatest_at_its_own_size() -> None:
    features = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    found = activation_map(features, (3, 4))
    assert found[0, 0] == 0 and found[-1, -1] == 255 and (np.diff(found.ravel().astype(int)) > 0).all()
    assert mean_activation(features).tolist() == features.mean(axis=0).tolist()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((4, 3, 3)), "is 0 in all 3 x 3 places, so there is nothing to show"),
        (np.ones((4, 1, 1)), "is 1 in all 1 x 1 places"),
        (np.full((1, 2, 2), np.nan), "not finite"),
        (np.array([[[0, np.inf]]]), "not finite"),
        (np.zeros((2048,)), r"shape \(2048,\), expected \(channels, height, width\)"),
    ],
)
def test_says_why_there_is_no_map(features: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        activation_map(features, (8, 8))
