"""Which images of several runs are worth a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Choice:
    """How many images are drawn, and which.

    Attributes:
        n: How many.
        ids: These, in this order, whatever ``n`` is.
        largest_difference: Those in which the scores of the best and the worst run differ most. Such a choice shows
            where the runs differ, not how they do on average.
        gains_and_losses: ``n`` in which the last run gains most over the first, then ``n`` in which it loses most, or
            gains least. Neither do these show an average.

    Raises:
        ValueError: If ``n`` is below 1.
    """

    n: int = 6
    ids: Sequence[str] = ()
    largest_difference: bool = False
    gains_and_losses: bool = False

    def __post_init__(self) -> None:
        if self.n < 1 and not self.ids:
            raise ValueError(f"{self.n} images are to be drawn: give 1 or more.")

    @property
    def needs_scores(self) -> bool:
        """Whether images are chosen by the scores of the runs."""
        return not self.ids and (self.largest_difference or self.gains_and_losses)


def choose_images(names: Sequence[str], choice: Choice, scores: Callable[[], np.ndarray]) -> list[int]:
    """Indices of the images to draw; of images with equal differences the first come first.

    Args:
        names: Of N images.
        choice: Which; without ``ids`` and differences the first ones.
        scores: Gives (N, R) the score of each run in each image, NaN where there is nothing to score; asked for only
            where the choice needs it.

    Raises:
        ValueError: If an id is unknown, or one run alone is to differ.

    Example:
        >>> scores = np.array([[1, 1], [0, 3], [2, 0]])
        >>> choose_images("abc", Choice(1, largest_difference=True), lambda: scores)
        [1]
        >>> choose_images("abc", Choice(1, gains_and_losses=True), lambda: scores)
        [1, 2]
    """
    if choice.ids:
        place = {name: i for i, name in enumerate(names)}
        if unknown := [name for name in choice.ids if name not in place]:
            raise ValueError(
                f"There is no image '{unknown[0]}': the {len(names)} images are called such as '{names[0]}'."
            )
        return [place[name] for name in choice.ids]
    if not choice.needs_scores:
        return list(range(min(choice.n, len(names))))
    found = scores()
    if found.shape[1] < 2:
        raise ValueError("One run differs from nothing: give a second one, or choose images in another way.")
    if choice.largest_difference:
        return _descending(np.nan_to_num(np.ptp(found, axis=1)))[: choice.n]
    gain = np.nan_to_num(found[:, -1] - found[:, 0])
    best = _descending(gain)[: min(choice.n, -(-len(names) // 2))]  # of few images half are called gains
    return [*best, *[i for i in _descending(-gain) if i not in best][: choice.n]]


def gain_text(gain: float, unit: str) -> str:
    """What an image's title says of a gain.

    Example:
        >>> gain_text(2, "objects"), gain_text(-1.25, "mIoU"), gain_text(float("nan"), "mIoU")
        ('+2 objects', '-1.2 mIoU', '+0 mIoU')
    """
    return f"{np.nan_to_num(gain):+.1f}".removesuffix(".0") + f" {unit}"


def _descending(values: np.ndarray) -> list[int]:
    order: list[int] = np.argsort(-values, kind="stable").tolist()
    return order
