"""What fits a time: epochs first, then seeds; never fewer initializations."""

from __future__ import annotations

import pytest

from mmdetpre.study.custom_data.budget import Trained, change_text, fit, read_duration, study_seconds

DET = Trained("own_det", 12, (4, 40), epoch=10.0, fixed=20.0, runs=2)
CLS = Trained("own_cls", 6, (2, 30), epoch=4.0, fixed=10.0, runs=2)
PRE = Trained("pretrain_coco", 10, (4, 10), epoch=5.0, fixed=5.0, runs=1, seeded=False)
ALL = [DET, CLS, PRE]


def test_the_seconds_of_a_study() -> None:
    epochs = {"own_det": 12, "own_cls": 6, "pretrain_coco": 10}
    one_seed = 2 * (20 + 120) + 2 * (10 + 24)
    assert study_seconds(ALL, epochs, 3, 15.0, 1) == 3 * one_seed + 55 + 15
    assert study_seconds(ALL, epochs, 3, 15.0, 2) == (3 * one_seed + 55 + 15) / 2


@pytest.mark.parametrize("budget", [600.0, 900.0, 1500.0, 4000.0, 10**6])
def test_as_many_epochs_as_fit(budget: float) -> None:
    found = fit(budget, ALL, 3, 15.0, 1, inits=2)
    assert found.seconds <= 0.85 * budget and found.seconds == study_seconds(ALL, found.epochs, found.seeds, 15.0, 1)
    for one in ALL:
        assert one.bounds[0] <= found.epochs[one.name] <= one.bounds[1]
    if found.epochs != {one.name: one.bounds[1] for one in ALL}:
        more = {one.name: min(found.epochs[one.name] + 1, one.bounds[1]) for one in ALL}
        assert study_seconds(ALL, more, found.seeds, 15.0, 1) > 0.85 * budget, "no more would fit"


def test_epochs_go_before_seeds_and_seeds_to_two() -> None:
    least = study_seconds(ALL, {one.name: one.bounds[0] for one in ALL}, 3, 15.0, 1)
    assert fit(1.01 * least / 0.85, ALL, 3, 15.0, 1, inits=2).seeds == 3
    found = fit(0.99 * least / 0.85, ALL, 3, 15.0, 1, inits=2)
    assert found.seeds == 2 and found.epochs["own_det"] > 4, "fewer seeds leave time for epochs"
    text = change_text(ALL, 3, found)
    assert text.endswith(", 2 seeds instead of 3") and f"own_det {found.epochs['own_det']} epochs instead of 12" in text
    assert fit(10**6, [PRE], 1, 0.0, 1, inits=2).seeds == 1, "who wants one seed has one"
    assert change_text([PRE], 1, fit(10**6, [PRE], 1, 0.0, 1, inits=2)) == "epochs and seeds as they are"


def test_a_budget_too_small_for_anything() -> None:
    with pytest.raises(ValueError) as error:
        fit(60.0, ALL, 3, 15.0, 1, inits=2)
    least = study_seconds(ALL, {"own_det": 4, "own_cls": 2, "pretrain_coco": 4}, 2, 15.0, 1)
    assert least == 352 and str(error.value) == (
        "--budget is 1:00 min, and the least takes about 5:52 min: epochs own_det 4, own_cls 2, pretrain_coco 4, seeds"
        " 2, initializations 2. Give --budget 7m, or leave out initializations (about 2:56 min each) or data."
    )
    assert fit(7 * 60, ALL, 3, 15.0, 1, inits=2).seeds == 2, "what the message says fits"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("45m", 2700), ("45 min", 2700), ("1.5h", 5400), (" 1h 30m ", 5400), ("2d", 172800)],
)
def test_times(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1 hour", "-1h", "0m", "1h!", "1e3h"])
def test_no_times(text: str) -> None:
    with pytest.raises(ValueError, match=r"--budget is .*: give"):
        read_duration(text)
