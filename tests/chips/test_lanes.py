"""The order of an epoch in lanes: each chip once, each image in one lane, few images at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.chips.lanes import LaneLayout, batch_sizes, lane_order


def images(count, seed=0):
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(np.repeat(np.arange(0, 2 * count, 2), rng.integers(1, 7, count)))
    return shuffled.astype(np.int32)


def lanes_of(layout, image):
    """Lane of each chip of the order, and its number within the lane."""
    sizes = batch_sizes(len(image), layout.batch_size, layout.ranks)
    total = layout.total_lanes(len(set(image.tolist())))
    lane = np.repeat(np.arange(len(sizes)) % total, sizes)
    return total, lane


@given(
    count=st.integers(1, 120),
    lanes=st.sampled_from([1, 2, 4, 6]),
    window=st.integers(1, 20),
    batch_size=st.integers(1, 9),
    ranks=st.integers(1, 3),
)
def test_each_chip_comes_once_and_each_image_in_one_lane(count, lanes, window, batch_size, ranks):
    image, layout = images(count), LaneLayout(lanes, window, batch_size, ranks)
    order = lane_order(image, layout, np.random.default_rng(3))
    assert sorted(order.chip.tolist()) == list(range(len(image)))
    total, lane = lanes_of(layout, image)
    assert total == 1 or (total % ranks == 0 and lanes % (total // ranks) == 0)
    shown = np.stack([lane, image[order.chip]])
    assert len(np.unique(shown, axis=1).T) <= count + total - 1, "an image is shared by two lanes at each seam at most"
    last = {}
    for place, pair in enumerate(map(tuple, shown.T.tolist())):
        last[pair] = place
    assert [place < last[pair] for place, pair in enumerate(map(tuple, shown.T.tolist()))] == order.keep.tolist()


@pytest.mark.parametrize("window", [4, 16, 64])
def test_at_most_a_window_of_images_is_under_way(window):
    image, layout = images(600), LaneLayout(2, window, 8, 1)
    order = lane_order(image, layout, np.random.default_rng(0))
    _, lane = lanes_of(layout, image)
    for one in range(2):
        shown, kept = image[order.chip[lane == one]], order.keep[lane == one]
        under_way, most = set(), 0
        for number, keep in zip(shown.tolist(), kept.tolist(), strict=True):
            (under_way.add if keep else under_way.discard)(number)
            most = max(most, len(under_way))
        assert window / 3 < most <= window


def test_chips_of_an_image_rarely_meet_in_a_batch():
    image = np.repeat(np.arange(4000), 4)

    def pairs(window):
        order = lane_order(image, LaneLayout(2, window, 16, 1), np.random.default_rng(0))
        batches = image[order.chip].reshape(-1, 16)
        return np.mean([16 - len(set(batch)) for batch in batches.tolist()])

    assert pairs(128) < 0.1 < 1 < pairs(4)


def test_orders_follow_the_generator():
    image, layout = images(50), LaneLayout(2, 8, 4, 1)
    first, again, other = (lane_order(image, layout, np.random.default_rng(seed)).chip for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@given(chips=st.integers(1, 200), batch_size=st.integers(1, 9), ranks=st.integers(1, 5))
def test_batches_are_full_but_for_the_last_of_each_rank(chips, batch_size, ranks):
    sizes = batch_sizes(chips, batch_size, ranks)
    assert sizes.sum() == chips and len(sizes) % ranks == 0 and (sizes[:-ranks] == batch_size).all()
    assert (np.diff(sizes) <= 0).all()
