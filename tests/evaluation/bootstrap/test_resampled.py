"""Scores of resamples equal the scores of test sets in which images are repeated."""

from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.evaluation.bootstrap.resampled import Resampled, image_counts, resampled_accuracy, resampled_mean_iou


def test_resamples_are_of_all_images_and_always_the_same() -> None:
    counts = image_counts(200, 500)
    assert counts.shape == (500, 200) and (counts.sum(axis=1) == 200).all()
    assert np.array_equal(counts, image_counts(200, 500)) and not np.array_equal(counts[0], counts[1])
    assert counts.mean(axis=0).std() < 0.1, "no image is preferred"
    assert (counts == 0).mean() == pytest.approx(np.exp(-1), abs=0.01)
    with pytest.raises(ValueError, match="no test image"):
        image_counts(0)


def test_accuracy_is_that_of_the_repeated_images() -> None:
    right = np.random.default_rng(0).random(30) < 0.7
    counts = image_counts(30, 50)
    expected = [100 * np.repeat(right, row).mean() for row in counts]
    assert resampled_accuracy(right, counts) == pytest.approx(expected)
    standard_error = 100 * np.sqrt(right.mean() * (1 - right.mean()) / 30)
    assert resampled_accuracy(right, image_counts(30)).std() == pytest.approx(standard_error, rel=0.1)


def test_mean_iou_is_that_of_the_repeated_images() -> None:
    rng = np.random.default_rng(1)
    tables = rng.integers(0, 50, (12, 4, 4)) * (rng.random((12, 4, 4)) < 0.4)
    tables[:, 3] = tables[:, :, 3] = 0  # a class that no image has
    counts = image_counts(12, 40)
    confusion = np.stack([tables.diagonal(axis1=1, axis2=2), tables.sum(axis=2), tables.sum(axis=1)], axis=1)
    expected = []
    for row in counts:
        table = np.repeat(tables, row, axis=0).sum(axis=0)
        union = table.sum(axis=0) + table.sum(axis=1) - table.diagonal()
        expected.append(100 * np.mean(table.diagonal()[union > 0] / union[union > 0]))
    assert resampled_mean_iou(confusion, counts) == pytest.approx(expected)
    assert np.isnan(resampled_mean_iou(np.zeros((2, 3, 2)), np.array([[1, 1]]))).all()


def test_one_digest_is_one_list_of_images() -> None:
    first, second = Resampled.of(["a", "b"], np.array([50.00004, 60])), Resampled.of(["b", "a"], np.array([1.0, 2]))
    assert (first.images, first.values) == (2, (50.0, 60.0)) and first.digest != second.digest
    assert first.digest == Resampled.of(["a", "b"], np.zeros(2)).digest
