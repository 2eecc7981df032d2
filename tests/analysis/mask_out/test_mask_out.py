"""Mask-out against one forward per position and against sums over pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor
from tqdm import tqdm

from mmdetpre.analysis.mask_out.mask_out import MaskOut, mask_out, mask_positions


@st.composite
def sides(draw: st.DrawFn) -> tuple[int, int, int]:
    """Length of a side, mask and stride that fit."""
    length = draw(st.integers(1, 60))
    mask = draw(st.integers(1, length))
    return length, mask, draw(st.integers(1, mask))


@given(sides())
def test_positions_cover_the_side_and_end_flush(side: tuple[int, int, int]) -> None:
    length, mask, stride = side
    found = mask_positions(length, mask, stride)
    steps = np.diff(found)
    assert found[0] == 0 and found[-1] == length - mask
    assert (steps[:-1] == stride).all() and (steps > 0).all() and (steps <= stride).all()
    assert found[:-1].tolist() == list(range(0, length - mask, stride))


@given(sides(), sides(), st.integers(0, 5))
def test_a_pixel_has_the_mean_of_the_positions_that_mask_it(
    down: tuple[int, int, int], across: tuple[int, int, int], seed: int
) -> None:
    mask = min(down[1], across[1])
    ys, xs = (mask_positions(length, mask, min(stride, mask)) for length, _, stride in (down, across))
    values = np.random.default_rng(seed).random((len(ys), len(xs)), np.float32)
    total, count = np.zeros((down[0], across[0])), np.zeros((down[0], across[0]))
    for i, y in enumerate(ys):
        for j, x in enumerate(xs):
            total[y : y + mask, x : x + mask] += values[i, j]
            count[y : y + mask, x : x + mask] += 1
    found = MaskOut(0.5, mask, (down[0], across[0]), xs, ys, values).per_pixel()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, total / count, atol=1e-6)


@pytest.fixture(scope="module")
def classifier(repository: Path):
    """The sample's classifier with weights that make its probabilities depend on the image."""
    cfg = Config.fromfile(repository / "configs/cls/imagenet_cls_sample.py")
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(cfg.model)
    with torch.no_grad():
        model.train()(torch.randn(8, 3, 64, 64), mode="tensor")  # statistics of the batch norms
        model.head.fc.weight.mul_(30)
    model.eval()
    return lambda images: model(images, mode="tensor").softmax(dim=1)


@pytest.mark.parametrize("blank", [0.0, (0.5, -1.0, 2.0)])
def test_equals_one_forward_per_position(classifier, blank: float | tuple[float, ...]) -> None:
    image = torch.randn(3, 61, 47, generator=torch.Generator().manual_seed(1))
    before = image.clone()
    found = mask_out(classifier, image, 3, mask=20, stride=7, blank=torch.tensor(blank), batch_size=5)
    assert torch.equal(image, before)
    assert found.ys.tolist() == [0, 7, 14, 21, 28, 35, 41] and found.xs.tolist() == [0, 7, 14, 21, 27]
    expected = np.zeros((7, 5), np.float32)
    with torch.no_grad():
        for i, y in enumerate(found.ys):
            for j, x in enumerate(found.xs):
                one = image.clone()[None]
                for channel in range(3):
                    one[0, channel, y : y + 20, x : x + 20] = np.broadcast_to(blank, 3)[channel]
                expected[i, j] = classifier(one)[0, 3]
        assert found.unmasked == pytest.approx(float(classifier(image[None])[0, 3]), abs=1e-6)
    np.testing.assert_allclose(found.probability, expected, rtol=0, atol=1e-5)
    assert np.ptp(expected) > 0.01
    i, j = np.unravel_index(expected.argmin(), expected.shape)
    assert (found.lowest.y, found.lowest.x) == (found.ys[i], found.xs[j])


@pytest.mark.parametrize("batch_size", [1, 4, 9, 1000])
def test_batches_are_no_larger_than_asked_and_change_nothing(batch_size: int) -> None:
    seen: list[int] = []

    def mean(images: Tensor) -> Tensor:
        seen.append(len(images))
        return images.mean(dim=(1, 2, 3))[:, None]

    with tqdm(total=9, disable=True) as bar:
        bar.update = lambda n: seen.append(-n)
        found = mask_out(mean, torch.ones(3, 6, 6), 0, mask=2, stride=2, batch_size=batch_size, bar=bar)
    assert seen[0] == 1 and max(seen) <= batch_size and -sum(n for n in seen if n < 0) == 9
    assert (found.probability == np.float32(32 / 36)).all() and found.unmasked == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(mask=13), "mask of 13 pixels does not fit an image of 12"),
        (dict(mask=0), "mask of 0 pixels"),
        (dict(stride=0), "stride is 0: give 1 to 4 pixels"),
        (dict(stride=5), "stride is 5: give 1 to 4"),
        (dict(batch_size=0), "batch_size is 0"),
        (dict(label=2), "class is number 2, and the classifier has 2: give 0 to 1"),
        (dict(label=-1), "class is number -1"),
    ],
)
def test_refuses_settings_out_of_range(options: dict, message: str) -> None:
    options = {"label": 0, "mask": 4, "stride": 4} | options
    with pytest.raises(ValueError, match=message):
        mask_out(lambda images: torch.full((len(images), 2), 0.5), torch.zeros(3, 12, 16), **options)


@pytest.mark.parametrize("value", [float("nan"), 1.5, -3.0])
def test_refuses_what_is_not_a_probability(value: float) -> None:
    with pytest.raises(ValueError, match="not a probability: has its training diverged"):
        mask_out(lambda images: torch.full((len(images), 2), value), torch.zeros(3, 8, 8), 0, mask=4, stride=4)
