"""Which images of several runs are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.visualization.choose_images import Choice, choose_images

SCORES = np.array([[1, 0, 1], [0, 5, 3], [np.nan, 1, 1], [2, 2, 1], [4, 4, 0]], float)
NAMES = "abcde"


def chosen(choice: Choice) -> list[int]:
    return choose_images(NAMES, choice, lambda: SCORES)


def test_first_named_and_differing_images() -> None:
    assert chosen(Choice(2)) == [0, 1] and chosen(Choice(9)) == [0, 1, 2, 3, 4]
    assert chosen(Choice(1, ids=["d", "a"])) == [3, 0]
    assert chosen(Choice(3, largest_difference=True)) == [1, 4, 0], "an image that one cannot score differs in nothing"


def test_gains_of_the_last_run_over_the_first_then_its_losses() -> None:
    assert chosen(Choice(1, gains_and_losses=True)) == [1, 4]
    assert chosen(Choice(2, gains_and_losses=True)) == [1, 0, 4, 3]
    assert sorted(chosen(Choice(4, gains_and_losses=True))) == [0, 1, 2, 3, 4], "no image twice"
    assert choose_images("a", Choice(4, gains_and_losses=True), lambda: SCORES[:1]) == [0]


def test_choices_that_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="0 images are to be drawn: give 1 or more"):
        Choice(0)
    with pytest.raises(ValueError, match="There is no image 'z': the 5 images are called such as 'a'"):
        chosen(Choice(ids=["z"]))
    for choice in (Choice(1, largest_difference=True), Choice(1, gains_and_losses=True)):
        with pytest.raises(ValueError, match="One run differs from nothing"):
            choose_images(NAMES, choice, lambda: SCORES[:, :1])
