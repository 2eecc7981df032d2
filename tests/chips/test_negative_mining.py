from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mmdetpre.chips import mining
from mmdetpre.chips.mining import mine_chips
from mmdetpre.chips.negative_mining import mine_negatives
from mmdetpre.chips.negative_settings import NegativeSettings
from mmdetpre.chips.scale import scale_factor, scaled_size
from mmdetpre.chips.selection import select_boxes
from mmdetpre.chips.settings import ChipSettings

SETTINGS = (
    ChipSettings([(1400, 2000), (800, 1280), (-1, 512)], [(-1, 80), (32, 150), (120, -1)]),
    ChipSettings([(-1, 512)], [(0, -1)]),
    ChipSettings([(300, -1), (-1, 100)], [(-1, -1), (10, -1)], chip_size=128, strides=(40, 41)),
    ChipSettings([(-1, 900), (-1, 64)], [(-1, 500), (100, -1)], chip_size=64, strides=(7, 9), rescue_orphans=False),
)
LOW = NegativeSettings(finest_threshold=3, other_threshold=1, max_per_image=1000)
modest = hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
any_settings, seeds = st.sampled_from(SETTINGS), st.integers(0, 2**31)


def random_boxes(rng, sizes, per_image):
    extent = np.repeat(sizes, per_image, axis=0)
    sides = np.exp(rng.uniform(np.log(0.01), np.log(1.1), size=extent.shape)) * extent
    corner = rng.uniform(-0.1, 1, size=extent.shape) * extent
    return np.concatenate([corner, corner + sides], axis=1).astype(np.float32)


@st.composite
def data_sets(draw):
    """Sizes, offsets, boxes, ignore flags, proposal rows (not in order, with a gap) and proposals of a few images."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 3))
    sizes = rng.integers(30, 1200, size=(count, 2)).astype(np.int32)
    per_image, found = rng.integers(0, 6, size=count), rng.integers(0, 60, size=count)
    boxes, proposals = random_boxes(rng, sizes, per_image), random_boxes(rng, sizes[::-1], found[::-1])
    proposals = np.concatenate([proposals, np.full((5, 4), 7, np.float32)])
    ends = np.cumsum(found[::-1])[::-1]
    rows = np.stack([ends - found, ends], axis=1)
    return (
        sizes,
        np.concatenate([[0], np.cumsum(per_image)]),
        boxes,
        rng.uniform(size=len(boxes)) < 0.2,
        rows,
        proposals,
    )


def mine(data, settings, negatives, seed=0, **options):
    sizes, offsets, boxes, ignore, rows, proposals = data
    chips = mine_chips(sizes, offsets, boxes, settings, ignore=ignore, seed=seed, threads=1)
    options = {"ignore": ignore, "seed": seed, "threads": 1} | options
    return chips, mine_negatives(sizes, offsets, boxes, chips, rows, proposals, settings, negatives, **options)


def columns(found):
    chips = found.chips
    return [
        chips.image,
        chips.scale,
        chips.origin,
        chips.size,
        chips.valid_offsets,
        chips.valid,
        chips.negative,
        found[1],
    ]


def assert_same(first, second):
    for a, b in zip(columns(first), columns(second), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def learnable(size, boxes, settings, seed):
    """(n, S) bool, by the rule of assignment: no lower bound but at the coarsest scale."""
    whole = replace(
        settings, valid_ranges=[(-1, hi) for _, hi in settings.valid_ranges[:-1]] + [settings.valid_ranges[-1]]
    )
    stride = settings.stride(seed, 0)
    result = select_boxes([size], [0, len(boxes)], boxes, whole, stride=stride).selected
    strict = select_boxes([size], [0, len(boxes)], boxes, settings, stride=stride)
    result[:, -1] |= strict.orphan & settings.rescue_orphans
    return result


def inside(chip, box, scaled, chip_size):
    """Whether a chip contains boxes (n, 4) in scaled pixels; a border chip reaches the uncut border."""
    x, y = chip
    right = np.inf if x + chip_size >= scaled[0] else x + chip_size
    bottom = np.inf if y + chip_size >= scaled[1] else y + chip_size
    return (box[:, 0] >= x) & (box[:, 1] >= y) & (box[:, 2] <= right) & (box[:, 3] <= bottom)


def shown(origins, sizes, boxes, s):
    """(n,) bool: the chip that shows most of a box shows 1 pixel each way. Slow and plain."""
    result = np.zeros(len(boxes), dtype=bool)
    for j, box in enumerate(boxes):
        sides = np.minimum((origins + sizes) / s, box[2:]) - np.maximum(origins / s, box[:2])
        areas = np.where((sides > 0).all(axis=1), sides.prod(axis=1), 0)
        result[j] = len(areas) and areas.max() > 0 and (sides[areas.argmax()] >= 1).all()
    return result


def waiting_boxes(data, chips, settings, seed, n, i, exclude):
    """Clipped boxes of image ``n`` that scale ``i`` could learn and no positive chip shows; which are ground truth."""
    sizes, offsets, boxes, ignore, rows, proposals = data
    size, mine = sizes[n].tolist(), slice(offsets[n], offsets[n + 1])
    gt, found = (
        np.clip(part.astype(np.float64), 0, [*size, *size]) for part in (boxes[mine], proposals[slice(*rows[n])])
    )
    ours = np.flatnonzero((chips.image == n) & (chips.scale == i))
    learned = np.concatenate([np.zeros(0, int), *(chips.valid_of(k) for k in ours)])
    keep = ~ignore[mine] & ~np.isin(np.arange(len(gt)), learned)
    keep = keep & learnable(size, gt, settings, seed)[:, i] if len(gt) and not exclude else np.zeros(len(gt), bool)
    s = scale_factor(*size, settings.scales[i])
    open_ = np.zeros(len(found), bool)
    if len(found):
        open_ = learnable(size, found, settings, seed)[:, i] & ~shown(chips.origin[ours], chips.size[ours], found, s)
        groups = gt[ignore[mine]]
        for j, box in enumerate(proposals[slice(*rows[n])]):
            sides = np.minimum(boxes[mine][ignore[mine]][:, 2:], box[2:]) - np.maximum(
                boxes[mine][ignore[mine]][:, :2], box[:2]
            )
            open_[j] &= not (len(groups) and (sides.clip(0).prod(axis=1) > 0.5 * (box[2:] - box[:2]).prod()).any())
    return np.concatenate([gt[keep], found[open_]]), np.arange(keep.sum() + open_.sum()) < keep.sum()


@modest
@given(data_sets(), any_settings, seeds, st.booleans())
def test_chips_are_a_greedy_cover_above_the_threshold(data, settings, seed, exclude):
    """Replays every scale, all chips kept, against a slow reference."""
    sizes, offsets, _, ignore, *_ = data
    negatives = replace(LOW, neg_exclude_gt=exclude)
    chips, found = mine(data, settings, negatives, seed)
    thresholds = negatives.thresholds(len(settings.scales))
    for n, size in enumerate(sizes.tolist()):
        for i, scale in enumerate(settings.scales):
            ours = np.flatnonzero((found.chips.image == n) & (found.chips.scale == i))
            if ignore[offsets[n] : offsets[n + 1]].all():
                assert not len(ours)
                continue
            boxes, truth = waiting_boxes(data, chips, settings, seed, n, i, exclude)
            s = scale_factor(*size, scale)
            scaled = scaled_size(*size, s)
            boxes, learned = boxes * s, []
            for k in ours:
                got = inside(found.chips.origin[k], boxes, scaled, settings.chip_size)
                # A box whose best chip shows it by just about one pixel may fall either way.
                assert abs(got.sum() - found.counts[k]) <= 1 and found.counts[k] > thresholds[i]
                learned.append((got & truth).sum())
                boxes, truth = boxes[~got], truth[~got]
            counts = found.counts[ours]
            assert (np.diff(counts) <= 0).all()
            assert learned == [len(found.chips.valid_of(k)) for k in ours]


@modest
@given(data_sets(), any_settings, seeds)
def test_with_neg_exclude_gt_no_chip_contains_a_box_valid_at_its_scale(data, settings, seed):
    sizes, offsets, boxes, ignore, *_ = data
    chips, found = mine(data, settings, replace(LOW, neg_exclude_gt=True), seed)
    assert len(found.chips.valid) == 0
    for k in range(len(found.chips)):
        n, i = int(found.chips.image[k]), int(found.chips.scale[k])
        size = sizes[n].tolist()
        gt = boxes[offsets[n] : offsets[n + 1]][~ignore[offsets[n] : offsets[n + 1]]]
        s = scale_factor(*size, settings.scales[i])
        clipped = np.clip(gt.astype(np.float64), 0, [*size, *size])
        contains = inside(found.chips.origin[k], clipped * s, scaled_size(*size, s), settings.chip_size)
        assert not (contains & learnable(size, clipped, settings, seed)[:, i]).any()


def test_the_property_has_something_to_exclude():
    """Without the switch the same kind of data has negative chips around valid boxes."""
    data, settings = many_images(), SETTINGS[0]
    _, kept = mine(data, settings, LOW)
    _, strict = mine(data, settings, replace(LOW, neg_exclude_gt=True))
    assert len(kept.chips.valid) > 10 and len(strict.chips) > 50 and len(kept.chips) != len(strict.chips)


@modest
@given(data_sets(), any_settings, seeds, st.integers(1, 3))
def test_chips_lie_in_their_image_and_are_few(data, settings, seed, most):
    sizes = data[0]
    _, found = mine(data, settings, replace(LOW, max_per_image=most), seed)
    _, all_found = mine(data, settings, LOW, seed)
    chips = found.chips
    assert chips.negative.all() and (chips.origin >= 0).all() and (chips.size > 0).all()
    for k in range(len(chips)):
        size = sizes[chips.image[k]].tolist()
        assert (
            chips.origin[k] + chips.size[k] <= scaled_size(*size, scale_factor(*size, settings.scales[chips.scale[k]]))
        ).all()
    full = np.bincount(all_found.chips.image, minlength=len(sizes))
    np.testing.assert_array_equal(np.bincount(chips.image, minlength=len(sizes)), np.minimum(full, most))
    np.testing.assert_array_equal(np.lexsort((chips.scale, chips.image)), np.arange(len(chips)))


def many_images(count=120):
    rng = np.random.default_rng(5)
    sizes = rng.integers(200, 900, size=(count, 2)).astype(np.int32)
    per_image, found = rng.integers(0, 6, size=count), rng.integers(0, 120, size=count)
    ends = np.cumsum(found)
    boxes, proposals = random_boxes(rng, sizes, per_image), random_boxes(rng, sizes, found)
    ignore = rng.uniform(size=len(boxes)) < 0.1
    return (
        sizes,
        np.concatenate([[0], np.cumsum(per_image)]),
        boxes,
        ignore,
        np.stack([ends - found, ends], 1),
        proposals,
    )


def test_threads_ranges_and_maps_do_not_matter(monkeypatch, tmp_path):
    data = many_images()
    _, expected = mine(data, SETTINGS[0], NegativeSettings(3, 3))
    assert len(expected.counts) > 50
    monkeypatch.setattr(mining, "_BOXES_PER_RANGE", 200)
    np.save(tmp_path / "proposals.npy", data[5])
    mapped = (*data[:5], np.load(tmp_path / "proposals.npy", mmap_mode="r"))
    for threads in (1, 3, None):
        assert_same(
            expected, mine(mapped, SETTINGS[0], NegativeSettings(3, 3), threads=threads, progress=threads == 3)[1]
        )


def test_whole_set_equals_image_by_image():
    data = many_images(30)
    sizes, offsets, boxes, ignore, rows, proposals = data
    _, whole = mine(data, SETTINGS[0], LOW, seed=4)
    counts = []
    for n in range(len(sizes)):
        a, b = offsets[n], offsets[n + 1]
        one = [sizes[n : n + 1], [0, b - a], boxes[a:b]]
        chips = mine_chips(sizes, offsets, boxes, SETTINGS[0], ignore=ignore, seed=4)
        arguments = {"ignore": ignore[a:b], "seed": 4, "first_image": n}
        counts += mine_negatives(*one, chips, rows[n : n + 1], proposals, SETTINGS[0], LOW, **arguments).counts.tolist()
    assert counts == whole.counts.tolist()


def test_seed_and_epoch_change_the_chips():
    data = many_images()
    settings = replace(SETTINGS[0], strides=(56, 56))
    negatives = NegativeSettings(3, 3)
    first = mine(data, settings, negatives, seed=1)[1]
    assert_same(first, mine(data, settings, negatives, seed=1)[1])
    other = mine(data, settings, negatives, seed=2)[1]
    later = mine(data, settings, negatives, seed=1, epoch=1)[1]
    for changed in (other, later):
        assert not np.array_equal(first.chips.origin, changed.chips.origin)


FAR = [[560 + i, 400, 580 + i, 420] for i in range(30)]


def mine_one(gt, ignore, negatives=None):
    data = (
        np.array([[640, 480]]),
        np.array([0, len(gt)]),
        np.array(gt, np.float32).reshape(-1, 4),
        np.array(ignore, bool),
    )
    return mine((*data, np.array([[0, 30]]), np.array(FAR, np.float32)), SETTINGS[0], negatives)[1]


def test_ignored_boxes_are_never_negative():
    box, crowd = [100, 100, 139, 139], [550, 390, 640, 480]
    assert mine_one([box], [False]).counts.tolist() == [30, 30]
    assert mine_one([box, crowd], [False, True]).counts.tolist() == []
    assert mine_one([box, [550, 390, 576, 480]], [False, True]).counts.tolist() == [
        24
    ]  # six lie in it by more than half
    assert mine_one([box] * 40 + [[20, 400, 40, 420]] * 40, [False] + [True] * 79).counts.tolist() == [30, 30]


@pytest.mark.parametrize("gt, ignore", [([], []), ([[100, 100, 139, 139]], [True])])
def test_images_without_ground_truth_are_not_mined(gt, ignore):
    assert len(mine_one(gt, ignore).counts) == 0


def test_nothing_to_mine():
    empty = (np.zeros((0, 2), np.int32), np.array([0]), np.zeros((0, 4)), None, np.zeros((0, 2)), np.zeros((0, 4)))
    assert len(mine(empty, SETTINGS[0], None)[1].chips) == 0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"finest_threshold": -1}, "finest_threshold of the negative chips is -1"),
        ({"other_threshold": 2.5}, "other_threshold of the negative chips is 2.5"),
        ({"max_per_image": 0}, "max_per_image of the negative chips is 0.*proposals=None"),
    ],
)
def test_settings_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        NegativeSettings(**options)


def test_contradictions_are_named():
    data = [[640, 480]], [0, 1], [[100, 100, 139, 139]]
    chips = mine_chips(*data, SETTINGS[0])
    with pytest.raises(ValueError, match="proposal_rows has shape"):
        mine_negatives(*data, chips, [[0, 31]], FAR, SETTINGS[0])
    with pytest.raises(ValueError, match="A proposal of image 0 is not finite"):
        mine_negatives(*data, chips, [[0, 1]], [[0, 0, np.nan, 1]], SETTINGS[0])
    found = mine_negatives(*data, chips, [[0, 30]], FAR, SETTINGS[0])
    with pytest.raises(ValueError, match="give the positive chips"):
        mine_negatives(*data, found.chips, [[0, 30]], FAR, SETTINGS[0])
