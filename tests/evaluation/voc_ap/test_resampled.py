"""AP of resamples equals the AP of a test set in which images are repeated."""

from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.evaluation.bootstrap.resampled import image_counts
from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.evaluation.voc_ap.average_precision import voc_average_precision
from mmdetpre.evaluation.voc_ap.resampled import resampled_mean_ap

IOUS = (0.3, 0.5, 0.7)


def random_run(seed: int, images: int = 14, classes: int = 3) -> Detections:
    """Detections near true boxes, some of them difficult, and others anywhere; no two of one score."""
    rng = np.random.default_rng(seed)
    objects = 40
    corner, size = rng.integers(0, 60, (objects, 2)), rng.integers(8, 40, (objects, 2))
    boxes = np.hstack([corner, corner + size]).astype(np.float32)
    image, labels = np.sort(rng.integers(0, images, objects)), rng.integers(0, classes, objects)
    truth = GroundTruth(image, boxes, labels, rng.random(objects) < 0.2)
    near = rng.integers(0, objects, 90)
    detected = boxes[near] + rng.normal(0, 4, (90, 4)).astype(np.float32)
    detected[:, 2:] = np.maximum(detected[:, 2:], detected[:, :2] + 1)
    scores = rng.permutation(90).astype(np.float32) / 100
    order = np.argsort(image[near], kind="stable")
    names = tuple(f"{i:03}" for i in range(images))
    return Detections(
        tuple("abc")[:classes], names, image[near][order], detected[order], scores[order], labels[near][order],
        truth=truth, plus_one=True,
    )  # fmt: skip


def repeated(run: Detections, counts: np.ndarray) -> Detections:
    """The run on a test set that has each image as often as it is counted."""
    truth = run.ground_truth()
    sources = np.repeat(np.arange(len(run.names)), counts)
    parts = [(np.flatnonzero(run.image == source), np.flatnonzero(truth.image == source)) for source in sources]
    rows, objects = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    numbers = [np.concatenate([np.full(len(part[k]), i) for i, part in enumerate(parts)]) for k in (0, 1)]
    boxes = GroundTruth(numbers[1], truth.boxes[objects], truth.labels[objects], truth.ignore[objects])
    return Detections(
        run.classes, tuple(f"{i:03}" for i in range(len(sources))), numbers[0], run.boxes[rows], run.scores[rows],
        run.labels[rows], truth=boxes, plus_one=True,
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["area", "11points"])
@pytest.mark.parametrize("seed", range(3))
def test_every_image_once_is_the_plain_score(mode: str, seed: int) -> None:
    run = random_run(seed)
    plain = voc_average_precision(run, IOUS, mode=mode).mean_ap
    once = np.ones((1, len(run.names)), np.int32)
    assert resampled_mean_ap(run, once, IOUS, mode=mode)[0] == pytest.approx(100 * plain, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_a_resample_scores_as_its_images_do(seed: int) -> None:
    """To the order of copies: of equal scores, one hit comes before another false detection or behind it."""
    run = random_run(seed)
    counts = image_counts(len(run.names), 20)
    found = resampled_mean_ap(run, counts, IOUS)
    expected = np.array([100 * voc_average_precision(repeated(run, row), IOUS, mode="area").mean_ap for row in counts])
    assert found == pytest.approx(expected, abs=1e-3)


def test_a_resample_without_any_box_has_no_score() -> None:
    truth = GroundTruth([0], [[0, 0, 9, 9]], [0], [False])
    run = Detections(("cat",), ("a", "b"), [0], [[0, 0, 9, 9]], [0.9], [0], truth=truth, plus_one=True)
    assert resampled_mean_ap(run, np.array([[0, 2], [2, 0]])).ravel().tolist() == pytest.approx(
        [np.nan, 100], nan_ok=True
    )
    with pytest.raises(ValueError, match="the run has 2 images"):
        resampled_mean_ap(run, np.ones((3, 5), int))


def test_without_detections_every_resample_scores_nothing() -> None:
    truth = GroundTruth([0, 1], [[0, 0, 9, 9]] * 2, [0, 0], [False] * 2)
    run = Detections(("cat",), ("a", "b"), [], np.zeros((0, 4)), [], [], truth=truth, plus_one=True)
    for mode in ("area", "11points"):
        assert resampled_mean_ap(run, image_counts(2, 5), mode=mode).ravel().tolist() == [0] * 5
