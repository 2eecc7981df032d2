"""Lines of progress, as text."""

from __future__ import annotations

import math

import pytest

from mmdetpre.console.progress_line import duration, scores_text, training_line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (3599.6, "1:00 h"), (172_800, "2 d 0 h"), (-3, "0 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_line_without_epochs_rate_or_losses() -> None:
    assert training_line(step=4, steps=8, losses={}) == "step 4/8"
    assert training_line(step=8, steps=8, losses={"loss": 1.0}, left=0.0) == "step 8/8: loss 1.0000"
    text = training_line(step=1, steps=8, losses={"decode.loss_ce": 1.0, "aux.loss_ce": 0.5}, left=61)
    assert text == "step 1/8: loss 1.5000 (decode.ce 1.0000, aux.ce 0.5000), 1:01 min left"


def test_scores_are_numbers_only() -> None:
    scores = {"mAP": 0.5, "per_class": [1.0], "name": "x", "time": 3.0, "broken_images": 2, "top1": math.nan}
    assert scores_text(scores) == "mAP 0.5000, broken_images 2, top1 nan"
    assert scores_text({}) == "no single number"
