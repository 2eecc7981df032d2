from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mmdet.evaluation.functional import eval_map

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.evaluation.voc_ap.average_precision import FIGURE_1_IOUS, voc_average_precision

FINE_IOUS = tuple(np.arange(10, 20) / 20)


def assert_is_mmdets(run: Detections, as_mmdet: Callable, iou_thrs: Sequence, mode: str, plus_one: bool) -> None:
    """Every AP, the mean, the counts and the recalls are the same in every bit."""
    ours = voc_average_precision(run, iou_thrs, mode=mode, plus_one=plus_one)
    found, annotations = as_mmdet(run)
    for column, iou_thr in enumerate(iou_thrs):
        options = {"iou_thr": iou_thr, "use_legacy_coordinate": plus_one, "eval_mode": mode}
        mean, theirs = eval_map(found, annotations, logger="silent", nproc=1, **options)
        assert ours.mean_ap[column].item() == mean
        for label, one in enumerate(theirs):
            assert ours.objects[label] == one["num_gts"] and ours.detections[label] == one["num_dets"]
            if not one["num_gts"]:
                assert np.isnan(ours.ap[label]).all() and np.isnan(ours.recall[label]).all()
                continue
            assert ours.ap[label, column].item() == one["ap"].item()
            assert ours.recall[label, column] == (one["recall"][-1] if len(one["recall"]) else 0)


@pytest.mark.parametrize("mode", ["11points", "area"])
@pytest.mark.parametrize("plus_one", [True, False])
def test_real_detections_get_the_ap_of_mmdet_at_every_threshold(voc_run, as_mmdet, mode, plus_one):
    result = voc_average_precision(voc_run, mode=mode, plus_one=plus_one)
    assert 0.3 < result.mean_ap[4] < 0.9 and result.iou_thrs == FIGURE_1_IOUS
    assert_is_mmdets(voc_run, as_mmdet, FIGURE_1_IOUS, mode, plus_one)
    if plus_one:
        assert_is_mmdets(voc_run, as_mmdet, FINE_IOUS[1::2], mode, plus_one)


@pytest.mark.parametrize("images", [2, 40])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("mode", ["11points", "area"])
def test_drawn_detections_get_the_ap_of_mmdet(drawn_run, as_mmdet, images, tied, mode):
    """Also where scores are equal, boxes are ignored, and images or classes have nothing."""
    for seed in range(3):
        run = drawn_run(seed, images=images, classes=3, tied=tied, ignored=0.3)
        assert_is_mmdets(run, as_mmdet, (0.1, 0.5, 0.7, 0.9), mode, plus_one=bool(seed % 2))


def test_more_ties_in_an_image_than_a_stable_sort_would_hide(drawn_run, as_mmdet):
    run = drawn_run(5, images=2, classes=1, tied=True, size=60)
    many = np.random.default_rng(0).integers(0, len(run), 400)
    many = many[np.argsort(run.image[many], kind="stable")]
    run = replace(run, **{name: getattr(run, name)[many] for name in ("image", "boxes", "scores", "labels")})
    assert_is_mmdets(run, as_mmdet, FIGURE_1_IOUS, "area", False)


def one_class(truth, found, ignore=None, images: int = 1) -> Detections:
    """``truth``: rows of image and box, ``found``: rows of image, box and score."""
    truth, found = np.array(truth, np.float32).reshape(-1, 5), np.array(found, np.float32).reshape(-1, 6)
    ignore = np.zeros(len(truth), bool) if ignore is None else ignore
    return Detections(
        ("cat",), tuple(map(str, range(images))), found[:, 0], found[:, 1:5], found[:, 5], np.zeros(len(found)),
        truth=GroundTruth(truth[:, 0], truth[:, 1:], np.zeros(len(truth)), ignore),
    )  # fmt: skip


BOX = (0, 0, 0, 10, 10)


@pytest.mark.parametrize(
    ("truth", "found", "ignore", "area", "eleven"),
    [
        ([BOX], [(*BOX, 0.9)], None, 1, 1),
        ([BOX], [], None, 0, 0),
        # the second claim on a box is false, but it comes after everything has been found
        ([BOX], [(*BOX, 0.9), (*BOX, 0.8)], None, 1, 1),
        # the better placed one comes second
        ([BOX], [(0, 0, 0, 10, 6, 0.9), (*BOX, 0.8)], None, 1, 1),
        # false before the hit: precision 1/2 everywhere
        ([BOX], [(0, 50, 50, 60, 60, 0.9), (*BOX, 0.8)], None, 0.5, 0.5),
        # one of two found: recalls 0 to 0.5 are reached, six of eleven points
        ([BOX, (0, 50, 50, 60, 60)], [(*BOX, 0.9)], None, 0.5, 6 / 11),
        # a detection of a difficult box does not count, neither does its double
        ([BOX, (0, 50, 50, 60, 60)], [(0, 50, 50, 60, 60, 0.9), (0, 50, 50, 60, 61, 0.8), (*BOX, 0.7)], [0, 1], 1, 1),
        # the detection overlaps most with the box already taken: no second choice
        ([BOX, (0, 0, 2, 10, 12)], [(*BOX, 0.9), (0, 0, 0.5, 10, 10.5, 0.8)], None, 0.5, 6 / 11),
        # the same place in another image
        ([BOX], [(1, 0, 0, 10, 10, 0.9)], None, 0, 0),
    ],
)  # fmt: skip
def test_small_cases_by_hand(truth, found, ignore, area, eleven):
    run = one_class(truth, found, ignore, images=2)
    assert voc_average_precision(run, [0.5], mode="area", plus_one=False).ap.item() == pytest.approx(area)
    assert voc_average_precision(run, [0.5], mode="11points", plus_one=False).ap.item() == pytest.approx(eleven)


def test_plus_one_counts_the_last_pixel():
    """(0, 0, 9, 9) and (0, 0, 9, 4) with the last pixel inside are 10 x 10 and 10 x 5."""
    run = one_class([(0, 0, 0, 9, 9)], [(0, 0, 0, 9, 4, 0.5)])
    assert voc_average_precision(run, [0.45, 0.5, 0.51], plus_one=True).ap.tolist() == [[1, 1, 0]]
    assert voc_average_precision(run, [0.45, 0.5, 0.51], plus_one=False).ap.tolist() == [[0, 0, 0]]
    for plus_one in (True, False):
        marked = voc_average_precision(replace(run, plus_one=plus_one), [0.5])
        assert marked.plus_one is plus_one and marked.ap.tolist() == [[plus_one]]


def test_a_class_without_boxes_is_left_out_of_the_mean(drawn_run):
    run = drawn_run(0, classes=3)
    truth = run.ground_truth()
    without = replace(run, truth=replace(truth, ignore=truth.ignore | (truth.labels == 1)))
    full, less = voc_average_precision(run), voc_average_precision(without)
    assert np.isnan(less.ap[1]).all() and less.objects[1] == 0 and not np.isnan(less.ap[[0, 2]]).any()
    np.testing.assert_array_equal(less.ap[[0, 2]], full.ap[[0, 2]])
    assert less.mean_ap == pytest.approx(full.ap[[0, 2]].mean(axis=0))


seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds, mode=st.sampled_from(["11points", "area"]))
def test_the_order_of_images_and_detections_does_not_matter(drawn_run, seed, mode):
    """As long as scores differ."""
    run = drawn_run(seed, images=8)
    truth = run.ground_truth()
    random = np.random.default_rng(seed)
    place = random.permutation(len(run.names))
    order, truth_order = random.permutation(len(run)), random.permutation(len(truth))
    order = order[np.argsort(place[run.image[order]], kind="stable")]
    truth_order = truth_order[np.argsort(place[truth.image[truth_order]], kind="stable")]
    shuffled = Detections(
        run.classes, run.names, place[run.image[order]], run.boxes[order], run.scores[order], run.labels[order],
        truth=GroundTruth(
            place[truth.image[truth_order]], truth.boxes[truth_order], truth.labels[truth_order],
            truth.ignore[truth_order],
        ),
    )  # fmt: skip
    np.testing.assert_array_equal(
        voc_average_precision(shuffled, mode=mode).ap, voc_average_precision(run, mode=mode).ap
    )


@given(seed=seeds)
def test_found_objects_fall_as_the_threshold_rises_and_ap_stays_between_0_and_1(drawn_run, seed):
    result = voc_average_precision(drawn_run(seed, images=6, ignored=0), FINE_IOUS, mode="area")
    values = result.ap[result.objects > 0]
    assert (values >= 0).all() and (values <= 1).all()
    assert (np.diff(result.recall[result.objects > 0], axis=1) <= 0).all()


@given(seed=seeds, mode=st.sampled_from(["11points", "area"]))
def test_ap_falls_as_the_threshold_rises_without_doubles(drawn_run, seed, mode):
    """One detection per image and class: nothing that a stricter threshold could set free."""
    run = drawn_run(seed, images=12, ignored=0)
    key = run.image.astype(np.int64) * len(run.classes) + run.labels
    _, rows = np.unique(key, return_index=True)
    rows.sort()
    run = replace(run, **{name: getattr(run, name)[rows] for name in ("image", "boxes", "scores", "labels")})
    result = voc_average_precision(run, mode=mode)
    assert (np.diff(result.ap[result.objects > 0], axis=1) <= 1e-6).all()


@given(seed=seeds, mode=st.sampled_from(["11points", "area"]))
def test_the_truth_as_detections_is_perfect(drawn_run, seed, mode):
    run = drawn_run(seed, images=8)
    truth = run.ground_truth()
    assume(not truth.ignore.all())
    _, single = np.unique(np.column_stack([truth.image, truth.labels, truth.boxes]), axis=0, return_index=True)
    single.sort()  # two equal boxes cannot both be found: a detection looks at the first only
    fields = {name: getattr(truth, name)[single] for name in ("image", "boxes", "labels", "ignore")}
    perfect = replace(
        run, image=fields["image"], boxes=fields["boxes"], labels=fields["labels"],
        scores=np.linspace(0.1, 0.9, len(single)), truth=GroundTruth(**fields),
    )  # fmt: skip
    result = voc_average_precision(perfect, (0.1, 0.5, 1.0), mode=mode)
    assert result.ap[result.objects > 0] == pytest.approx(1) and result.mean_ap == pytest.approx(1)


def test_what_cannot_be_evaluated_is_refused(drawn_run):
    run = drawn_run(0)
    truth = run.ground_truth()
    with pytest.raises(ValueError, match="come without ground truth"):
        voc_average_precision(replace(run, truth=None))
    with pytest.raises(ValueError, match="The ground truth has no box: there is nothing to evaluate"):
        voc_average_precision(replace(run, truth=GroundTruth([], [], [], [])))
    with pytest.raises(ValueError, match="all of which are to be ignored"):
        voc_average_precision(replace(run, truth=replace(truth, ignore=np.ones(len(truth), bool))))
    with pytest.raises(ValueError, match="choose 'area' or '11points'"):
        voc_average_precision(run, mode="coco")


@pytest.mark.parametrize("iou_thrs", [[], [0.5, 0.5], [0.7, 0.5], [0.0, 0.5], [0.5, 1.5], [float("nan")]])
def test_thresholds_must_rise_between_0_and_1(drawn_run, iou_thrs):
    with pytest.raises(ValueError, match="iou_thrs is .*give rising IoU thresholds"):
        voc_average_precision(drawn_run(0), iou_thrs)
