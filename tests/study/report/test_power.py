"""How many seeds and images it takes, against studies that are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from mmdetpre.study.report.power import needed
from mmdetpre.study.report.seed_statistics import Difference


def one(seed_variance: float | None, image_variance: float | None, images: int = 100, seeds: int = 3) -> Difference:
    return Difference(
        5.0, 1.0, 9.0, (seeds, seeds), images=images, seed_variance=seed_variance, image_variance=image_variance
    )


def test_more_seeds_do_not_replace_images_nor_images_seeds() -> None:
    found = needed([one(1.0, 0.01)])
    assert found is not None and found.images is None and found.seeds is not None and found.seeds > 3
    found = needed([one(0.001, 4.0)])
    assert found is not None and found.seeds is None and found.images is not None and found.images > 100
    found = needed([one(0.0, 1.0)])
    assert found is not None and found.images == pytest.approx(100 * (1.96 + 0.84) ** 2 / 4, rel=0.03)


def test_without_both_variances_nothing_is_said() -> None:
    assert needed([]) is None and needed([one(None, 1.0), one(1.0, None)]) is None
    assert needed([Difference(1.0, 0.5, 1.5, (3, 3), seed_variance=1.0)]) is None


def test_a_difference_of_the_visible_size_is_seen_in_four_of_five() -> None:
    """Drawn studies whose variances are those that the table was made of."""
    found = needed([one(0.5, 0.5, images=200, seeds=4)])
    assert found is not None
    rng = np.random.default_rng(0)
    studies, seeds = 4000, 4
    deviation = np.sqrt(0.5 * seeds / 2)  # of one seed of one side
    sides = rng.normal(0, deviation, (2, studies, seeds)) + np.array([found.visible, 0])[:, None, None]
    value = sides[0].mean(axis=1) - sides[1].mean(axis=1) + rng.normal(0, np.sqrt(0.5), studies)
    of_seeds = sides.var(axis=2, ddof=1).sum(axis=0) / seeds
    total = of_seeds + 0.5
    free = total**2 / (of_seeds**2 / (2 * (seeds - 1)) + 0.25 / 199)
    assert np.mean(value > t.ppf(0.975, free) * np.sqrt(total)) == pytest.approx(0.8, abs=0.05)
