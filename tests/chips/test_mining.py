from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from mmdetpre.chips import mining
from mmdetpre.chips.chip_table import ChipTable
from mmdetpre.chips.mining import mine_chips, mine_image
from mmdetpre.chips.scale import scale_factor, scaled_size
from mmdetpre.chips.selection import select_boxes
from mmdetpre.chips.settings import ChipSettings

SETTINGS = (
    ChipSettings([(1400, 2000), (800, 1280), (-1, 512)], [(-1, 80), (32, 150), (120, -1)]),
    ChipSettings([(768, 1024), (480, 512)], [(-1, 300), (240, -1)], range_reference=1024),
    ChipSettings([(-1, 512)], [(0, -1)]),
    ChipSettings([(-1, 900), (-1, 64)], [(-1, 500), (100, -1)], chip_size=64, strides=(7, 9), rescue_orphans=False),
    ChipSettings([(300, -1), (-1, 100)], [(-1, -1), (10, -1)], chip_size=128, strides=(40, 41)),
)
FEWEST = tuple(replace(settings, cover="fewest") for settings in SETTINGS)
modest = hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def data_sets(draw, images: int = 3, most_boxes: int = 25):
    """Sizes, box offsets, boxes and ignore flags of a few images; some boxes stick out of their image or are tiny."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, images))
    sizes = rng.integers(1, 1500, size=(count, 2)).astype(np.int32)
    per_image = rng.integers(0, most_boxes + 1, size=count)
    offsets = np.concatenate([[0], np.cumsum(per_image)]).astype(np.int64)
    extent = np.repeat(sizes, per_image, axis=0)
    sides = np.exp(rng.uniform(np.log(0.001), np.log(1.2), size=extent.shape)) * extent
    corner = rng.uniform(-0.1, 1, size=extent.shape) * extent
    boxes = np.concatenate([corner, corner + sides], axis=1).astype(np.float32)
    if draw(st.booleans()):
        boxes = np.round(boxes)
    return sizes, offsets, boxes, rng.uniform(size=len(boxes)) < 0.1


any_settings = st.sampled_from(SETTINGS + FEWEST)
seeds = st.integers(0, 2**31)


def columns(table):
    return [table.image, table.scale, table.origin, table.size, table.valid_offsets, table.valid]


def assert_same(first, second):
    for a, b in zip(columns(first), columns(second), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def selected_and_rescued(sizes, offsets, boxes, ignore, settings, seed):
    selected, orphan = select_boxes(sizes, offsets, boxes, settings, ignore=ignore, stride=settings.stride(seed, 0))
    if settings.rescue_orphans:
        selected[:, -1] |= orphan
    return selected


def candidate_axis(side, chip_size, stride):
    """Candidate starts along one side, straight from the definition."""
    return [*range(0, max(side - chip_size, 0), stride), max(side - chip_size, 0)]


def containing(candidate, boxes, scaled, chip_size):
    """Which boxes (scaled pixels) the candidate (x, y) contains; a border chip reaches the uncut border."""
    x, y = candidate
    right = np.inf if x + chip_size >= scaled[0] else x + chip_size
    bottom = np.inf if y + chip_size >= scaled[1] else y + chip_size
    return (boxes[:, 0] >= x) & (boxes[:, 1] >= y) & (boxes[:, 2] <= right) & (boxes[:, 3] <= bottom)


def scaled_boxes(size, boxes, s):
    return np.clip(boxes.astype(np.float64), 0, [*size, *size]) * s


def covers(data, settings, seed):
    """Image, scale, scaled size, candidates, and which of the boxes that drive chips each of them contains."""
    sizes, offsets, boxes, ignore = data
    wanted = selected_and_rescued(sizes, offsets, boxes, ignore, settings, seed)
    for n, size in enumerate(sizes.tolist()):
        for i, scale in enumerate(settings.scales):
            s = scale_factor(*size, scale)
            scaled = scaled_size(*size, s)
            mine = slice(offsets[n], offsets[n + 1])
            here = scaled_boxes(size, boxes[mine], s)[wanted[mine, i]]
            axes = [candidate_axis(side, settings.chip_size, settings.stride(seed, 0)) for side in scaled]
            candidates = [(x, y) for y in axes[1] for x in axes[0]]
            inside = np.array([containing(c, here, scaled, settings.chip_size) for c in candidates], dtype=bool)
            yield n, i, scaled, candidates, inside


@modest
@given(data_sets(), st.sampled_from(SETTINGS), seeds)
def test_cover_is_greedy_and_complete(data, settings, seed):
    """Replays every scale against a slow reference that looks at all candidates and boxes."""
    table = mine_chips(*data[:3], settings, ignore=data[3], seed=seed, threads=1)
    seen = 0
    for n, i, scaled, candidates, inside in covers(data, settings, seed):
        open_boxes = np.ones(inside.shape[1], dtype=bool)
        chips = np.flatnonzero((table.image == n) & (table.scale == i))
        seen += len(chips)
        for k in chips:
            row = candidates.index(tuple(table.origin[k].tolist()))
            gain = (inside & open_boxes).sum(axis=1)
            assert gain[row] == gain.max() > 0
            open_boxes &= ~inside[row]
            assert table.size[k].tolist() == [min(side, settings.chip_size) for side in scaled]
        assert not open_boxes.any()
    assert seen == len(table)


@modest
@given(data_sets(), st.sampled_from(FEWEST), seeds)
def test_fewest_chips_cover_all_boxes_and_no_cover_has_less(data, settings, seed):
    tables = [
        mine_chips(*data[:3], replace(settings, cover=cover), ignore=data[3], seed=seed, threads=1)
        for cover in ("fewest", "greedy")
    ]
    for n, i, _, candidates, inside in covers(data, settings, seed):
        ours, greedy = ([*map(tuple, t.origin[(t.image == n) & (t.scale == i)].tolist())] for t in tables)
        rows = [candidates.index(origin) for origin in ours]
        assert inside[rows].any(axis=0).all()
        sets = np.unique(inside[inside.any(axis=1)], axis=0)
        if not len(sets):
            assert not ours
            continue
        everywhere = LinearConstraint(sets.T.astype(float), 1, np.inf)
        least = milp(np.ones(len(sets)), constraints=everywhere, integrality=1, bounds=Bounds(0, 1))
        assert len(ours) == round(least.fun) <= len(greedy)
        if len(ours) == len(greedy):
            assert ours == greedy


def test_a_smaller_cover_stands_anywhere():
    # Greedy takes the four in the middle first and needs three chips; two do, and neither has one place only.
    boxes = [[10, 10, 20, 20], [300, 10, 310, 20], [380, 10, 390, 20], [470, 10, 480, 20], [550, 10, 560, 20]]
    boxes += [[840, 10, 850, 20]]
    settings = ChipSettings([(-1, 1024), (-1, 512)], [(-1, -1), (9999, -1)], strides=(16, 16), rescue_orphans=False)
    greedy = mine_image((1024, 400), boxes, settings)
    tables = [mine_image((1024, 400), boxes, replace(settings, cover="fewest"), image=i) for i in range(200)]
    assert len(greedy) == 3 and {len(table) for table in tables} == {2}
    assert all(sorted(np.concatenate([t.valid_of(0), t.valid_of(1)]).tolist()) == list(range(6)) for t in tables)
    places = np.unique(np.concatenate([table.origin[:, 0] for table in tables]))
    assert len(places) > 5 and places.max() - places.min() > 350


def test_a_crowd_is_covered_greedily():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, [620, 460], size=(200, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 20, size=(200, 2))], axis=1)
    tables = [mine_image((640, 480), boxes, replace(SETTINGS[0], cover=cover)) for cover in ("greedy", "fewest")]
    assert (tables[0].scale == 0).sum() > 4
    assert_same(*tables)


@modest
@given(data_sets(), any_settings, seeds)
def test_chips_stay_inside_their_image(data, settings, seed):
    sizes, offsets, boxes, ignore = data
    table = mine_chips(sizes, offsets, boxes, settings, ignore=ignore, seed=seed, threads=1)
    assert (table.origin >= 0).all() and (table.size > 0).all() and (table.size <= settings.chip_size).all()
    for k in range(len(table)):
        size = sizes[table.image[k]].tolist()
        scaled = scaled_size(*size, scale_factor(*size, settings.scales[table.scale[k]]))
        assert (table.origin[k] + table.size[k] <= scaled).all()
    order = np.lexsort((table.scale, table.image))
    np.testing.assert_array_equal(order, np.arange(len(table)))


@modest
@given(data_sets(), any_settings, seeds)
def test_valid_boxes(data, settings, seed):
    """One chip per scale at most, every selected box in a chip that contains it, no ignored box, no empty chip."""
    sizes, offsets, boxes, ignore = data
    table = mine_chips(sizes, offsets, boxes, settings, ignore=ignore, seed=seed, threads=1)
    wanted = selected_and_rescued(sizes, offsets, boxes, ignore, settings, seed)
    found = np.zeros_like(wanted)
    for k in range(len(table)):
        n, i = table.image[k], table.scale[k]
        assert len(table.valid_of(k)) > 0
        assert (np.diff(table.valid_of(k)) > 0).all()
        s = scale_factor(*sizes[n].tolist(), settings.scales[i])
        scaled = scaled_size(*sizes[n].tolist(), s)
        rows = offsets[n] + table.valid_of(k)
        assert not found[rows, i].any()
        found[rows, i] = True
        inside = containing(table.origin[k], scaled_boxes(sizes[n], boxes[rows], s), scaled, settings.chip_size)
        assert inside[wanted[rows, i]].all()
    assert found[wanted].all()
    assert not found[ignore].any()


def test_partly_visible_box_goes_to_the_chip_that_shows_most():
    # The small box lies below the intermediate range: it drives no chip there, but may be learned where it shows.
    settings = replace(SETTINGS[0], strides=(56, 56))
    rng = np.random.default_rng(0)
    checked = 0
    for image in range(200):
        corner = rng.uniform(0, [560, 400], size=(12, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(8, 70, size=(12, 2))], axis=1).astype(np.float32)
        table = mine_image((640, 480), boxes, settings, image=image)
        selected = select_boxes([[640, 480]], [0, 12], boxes, settings, stride=56).selected
        chips = np.flatnonzero(table.scale == 1)
        s = scale_factor(640, 480, settings.scales[1])
        start = table.origin[chips] / s
        end = (table.origin[chips] + table.size[chips]) / s
        for j in np.flatnonzero(~selected[:, 1]):
            overlap = np.minimum(end, boxes[j, 2:]) - np.maximum(start, boxes[j, :2])
            shown = np.where((overlap > 0).all(axis=1), overlap.prod(axis=1), 0) if len(chips) else np.zeros(0)
            owners = [k for k, chip in enumerate(chips) if j in table.valid_of(chip)]
            if len(chips) == 0 or shown.max() <= 0 or (overlap[shown.argmax()] < 1).any():
                assert owners == []
                continue
            assert len(owners) == 1 and shown[owners[0]] == pytest.approx(shown.max(), rel=1e-6)
            checked += 1
    assert checked > 100


@modest
@given(data_sets(images=6), any_settings, seeds, st.integers(0, 20))
def test_whole_set_equals_image_by_image(data, settings, seed, epoch):
    sizes, offsets, boxes, ignore = data
    whole = mine_chips(sizes, offsets, boxes, settings, ignore=ignore, seed=seed, epoch=epoch, threads=1)
    tables = []
    for n, size in enumerate(sizes):
        rows = slice(offsets[n], offsets[n + 1])
        arguments = {"ignore": ignore[rows], "seed": seed, "epoch": epoch, "image": n}
        tables.append(mine_image(tuple(size), boxes[rows], settings, **arguments))
    assert_same(whole, ChipTable.concatenate(tables))


def many_images(count=300):
    rng = np.random.default_rng(5)
    sizes = rng.integers(200, 1200, size=(count, 2)).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 9, size=count))])
    corner = rng.uniform(0, 900, size=(offsets[-1], 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 300, size=corner.shape)], axis=1).astype(np.float32)
    return sizes, offsets, boxes


def test_threads_and_ranges_do_not_matter(monkeypatch):
    data = many_images()
    expected = mine_chips(*data, SETTINGS[0], seed=3, threads=1)
    monkeypatch.setattr(mining, "_IMAGES_PER_RANGE", 17)
    monkeypatch.setattr(mining, "_BOXES_PER_RANGE", 40)
    for threads in (1, 2, 5, None):
        assert_same(expected, mine_chips(*data, SETTINGS[0], seed=3, threads=threads, progress=threads == 2))


def test_seed_and_epoch_shuffle_ties():
    data = many_images()
    settings = replace(SETTINGS[0], strides=(56, 56))
    first = mine_chips(*data, settings, seed=1, epoch=2)
    assert_same(first, mine_chips(*data, settings, seed=1, epoch=2))
    for seed, epoch in ((2, 2), (1, 3), (2, 1)):
        other = mine_chips(*data, settings, seed=seed, epoch=epoch)
        assert not np.array_equal(first.origin, other.origin)


def test_ties_are_taken_uniformly():
    # A box in the middle of a 640x480 image fits several candidates; each is as likely as any other.
    settings = ChipSettings([(-1, 1024), (-1, 512)], [(-1, -1), (9999, -1)], strides=(128, 128), rescue_orphans=False)
    sizes = np.tile([[1024, 640]], (6000, 1))
    boxes = np.tile(np.float32([[400, 300, 500, 340]]), (6000, 1))
    table = mine_chips(sizes, np.arange(6001), boxes, settings)
    _, counts = np.unique(table.origin, axis=0, return_counts=True)
    assert len(counts) == 8
    assert (np.abs(counts - 750) < 5 * np.sqrt(750)).all()


def test_memory_maps_lists_and_single_precision_sizes(tmp_path):
    sizes, offsets, boxes = many_images(20)
    expected = mine_chips(sizes, offsets, boxes, SETTINGS[1])
    for name, array in {"sizes": sizes, "offsets": offsets, "boxes": boxes}.items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("sizes", "offsets", "boxes")]
    assert_same(expected, mine_chips(*mapped, SETTINGS[1]))
    assert_same(expected, mine_chips(sizes.tolist(), offsets.tolist(), boxes.tolist(), SETTINGS[1]))
    assert_same(expected, pickle.loads(pickle.dumps(expected)))


def test_nothing_to_mine():
    empty = mine_chips(np.zeros((0, 2), np.int32), [0], np.zeros((0, 4), np.float32), SETTINGS[0])
    assert len(empty) == 0 and empty.valid_offsets.tolist() == [0]
    assert len(mine_chips([[640, 480]], [0, 0], [], SETTINGS[0])) == 0
    outside = [[700, 10, 800, 50], [10, 10, 10.5, 400], [50, 50, 20, 20]]
    assert len(mine_image((640, 480), outside, SETTINGS[0])) == 0
    assert len(mine_image((640, 480), [[10, 10, 60, 60]], SETTINGS[0], ignore=[True])) == 0


BOX = [[1, 2, 30, 40]]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([[640, 0]], [0, 1], BOX), r"Image 0 has boxes but width and height \[640, 0\]"),
        (([640, 480], [0, 1], BOX), r"sizes has shape \(2,\)"),
        (([[640, 480]], [0, 1], [[1, 2, 3]]), r"boxes has shape \(1, 3\)"),
        (([[640, 480]] * 2, [0, 1, 2], [*BOX, [1, 2, np.nan, 9]]), "Box 0 of image 1 is"),
        (([[640, 480]], [0, 1], [[1, 2, np.inf, 9]]), "finite"),
        (([[640, 480]], [0, 2], BOX), "box_offsets run from 0 to 2: expected 0 to 1"),
        (([[640, 480]], [0], BOX), r"box_offsets has shape \(1,\)"),
        (([[640, 480]] * 3, [0, 1, 0, 1], BOX), "box_offsets fall from 1 to 0 at image 1"),
    ],
)
def test_contradictions_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        mine_chips(*arguments, SETTINGS[0])


def test_contradictions_of_one_image_are_named():
    with pytest.raises(ValueError, match="Image 7 has width"):
        mine_image((0, 480), BOX, SETTINGS[0], image=7)
    with pytest.raises(ValueError, match=r"shape \(1, 3\)"):
        mine_image((640, 480), [[1, 2, 3]], SETTINGS[0])
    with pytest.raises(ValueError, match="Box 0 of image 7"):
        mine_image((640, 480), [[1, 2, np.nan, 4]], SETTINGS[0], image=7)
    with pytest.raises(ValueError, match=r"ignore has shape \(2,\)"):
        mine_image((640, 480), BOX, SETTINGS[0], ignore=[True, False])
    with pytest.raises(ValueError, match=r"ignore has shape \(2,\)"):
        mine_chips([[640, 480]], [0, 1], BOX, SETTINGS[0], ignore=[True, False])


def test_an_image_without_size_and_boxes_has_no_chips():
    sizes, offsets = [[640, 480], [0, 0], [640, 480]], [0, 1, 1, 2]
    table = mine_chips(sizes, offsets, BOX * 2, SETTINGS[0])
    assert set(table.image.tolist()) == {0, 2}
