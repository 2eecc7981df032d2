"""Principal axes: a rotation of standardized features that loses nothing, whatever the shape and the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.analysis.probes.principal_axes import PrincipalAxes


def features(images: int, size: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(images, size)) @ random.normal(size=(size, size)) + 5).astype(np.float32)


@given(
    images=st.integers(2, 30),
    size=st.integers(1, 30),
    max_axes=st.sampled_from([1, 16384]),
    block=st.sampled_from([64, 1 << 20]),
    seed=st.integers(0, 99),
)
def test_a_linear_model_along_the_axes_is_the_same_on_the_values(
    images: int, size: int, max_axes: int, block: int, seed: int
) -> None:
    values = features(images, size, seed)
    design = PrincipalAxes(values, max_axes, block)
    random = np.random.default_rng(seed)
    weights = random.normal(size=(len(design.variances), 3)).astype(np.float32)
    bias = random.normal(size=3).astype(np.float32)
    scores = np.concatenate([matrix @ design.from_axes(weights) + bias for _, matrix in design.blocks(2)])
    raw, raw_bias = design.linear_map(weights, bias)
    assert raw.shape == (size, 3) and raw.dtype == np.float32
    np.testing.assert_allclose(values @ raw.astype(np.float64) + raw_bias, scores, atol=5e-3)
    assert [block.start for block, _ in design.blocks(2)][0] == 0 and len(scores) == images

    standardized = design.standardized(slice(None)).astype(np.float64)
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=1e-4)
    assert np.mean((standardized**2).sum(axis=1)) == pytest.approx(1, rel=1e-3)
    if max_axes > 1:
        assert np.sum(design.variances) == pytest.approx(1, rel=1e-3)
        along = np.concatenate([matrix @ design.from_axes(np.eye(len(design.variances), dtype=np.float32))
                                for _, matrix in design.blocks()])  # fmt: skip
        np.testing.assert_allclose(along.T @ along / images, np.diag(design.variances), atol=1e-4)


@pytest.mark.parametrize("shape", [(20, 8), (8, 20)])
def test_gradients_are_transposes(shape: tuple[int, int]) -> None:
    design = PrincipalAxes(features(*shape))
    random = np.random.default_rng(1)
    axes = random.normal(size=(len(design.variances), 2)).astype(np.float32)
    columns = random.normal(size=design.from_axes(axes).shape).astype(np.float32)
    assert np.sum(design.from_axes(axes) * columns) == pytest.approx(
        np.sum(axes * design.to_axes(columns)), rel=1e-4, abs=1e-4
    )


def test_values_that_never_change_count_nothing() -> None:
    values = features(12, 4)
    values[:, 2] = 1000.1
    design = PrincipalAxes(values)
    weights = np.ones((len(design.variances), 2), np.float32)
    raw, _ = design.linear_map(weights, np.zeros(2, np.float32))
    assert np.all(raw[2] == 0) and np.all(raw[[0, 1, 3]] != 0)
    with pytest.raises(ValueError, match="fc2 are the same for all 5 images"):
        PrincipalAxes(np.ones((5, 3), np.float32), name="fc2")


def test_values_that_are_not_finite_are_named() -> None:
    values = features(12, 4)
    values[7, 1] = np.nan
    with pytest.raises(ValueError, match="fc2 is not finite in row 7"):
        PrincipalAxes(values, name="fc2")
