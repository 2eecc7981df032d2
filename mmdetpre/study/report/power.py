"""How many seeds or test images it takes to see a difference of a given size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mmdetpre.study.report.seed_statistics import CONFIDENCE, Difference
from mmdetpre.study.report.text_format import plain

POINTS, POWER = 2.0, 0.8
"""A difference of 2 points, seen in four of five studies."""
MOST = 10_000_000


@dataclass(frozen=True)
class Needed:
    """What it takes to see a difference, all else as it is.

    Attributes:
        points: The difference, in points.
        visible: The smallest difference that the study as it is shows as often.
        seeds: Seeds for each initialization with the test images of the study; None: not by seeds alone.
        images: Test images with the seeds of the study; None: not by images alone.
    """

    points: float
    visible: float
    seeds: int | None
    images: int | None

    @property
    def rows(self) -> tuple[str, str, str]:
        """The three numbers as a table shows them."""
        seeds = "more images too" if self.seeds is None else str(self.seeds)
        images = "more seeds too" if self.images is None else f"{self.images:,}"
        return plain(self.visible), seeds, images


POWER_COLUMNS = (
    "smallest difference seen in 4 of 5 such studies",
    f"seeds to see {POINTS:g} points, with these test images",
    f"test images to see {POINTS:g} points, with these seeds",
)


def needed(differences: Sequence[Difference], points: float = POINTS) -> Needed | None:
    """Seeds and test images that show a difference of ``points`` in four of five studies, by the middle of variances.

    Args:
        differences: Of one column to its reference; those without both variances do not count.
        points: The difference.

    Returns:
        None if no difference has both variances.

    Source: the usual formula of power, with quantiles of Student's t at the degrees of freedom of the seeds.

    Example:
        >>> one = Difference(5.0, 2.0, 8.0, (3, 3), images=100, seed_variance=1.0, image_variance=0.5)
        >>> needed([one])
        Needed(points=2.0, visible=3.9, seeds=None, images=None)
    """
    import numpy as np
    from scipy.stats import t

    known = [d for d in differences if d.images and d.seed_variance is not None and d.image_variance is not None]
    if not known:
        return None
    seeds = min(min(d.counts) for d in known)
    images = known[0].images
    of_seed = seeds * float(np.median([d.seed_variance for d in known]))  # of one seed on each side
    of_image = images * float(np.median([d.image_variance for d in known]))

    def visible(count: int, pictures: float) -> float:
        parts = ((of_seed / count, 2 * (count - 1)), (of_image / pictures, pictures - 1))
        total = sum(variance for variance, _ in parts)
        free = total**2 / max(sum(v**2 / degrees for v, degrees in parts), 1e-300)
        return float((t.ppf(0.5 + CONFIDENCE / 2, free) + t.ppf(POWER, free)) * total**0.5)

    def least(low: int, reached: Callable[[int], bool]) -> int | None:
        high = low
        while not reached(high):
            high *= 2
            if high > MOST:
                return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if reached(middle) else (middle + 1, high)
        return low

    return Needed(
        points,
        round(visible(seeds, images), 1),
        least(2, lambda count: visible(count, images) <= points),
        least(10, lambda count: visible(seeds, count) <= points),
    )
