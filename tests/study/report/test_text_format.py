"""How numbers are written: never a zero that hides a sign, never a hyphen for a minus."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.study.report.text_format import MINUS, listed, plain, points, seeds, signed
from mmdetpre.utils.plain_text import counted


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10.44, "10.4"),
        (-2.06, "−2.1"),
        (0.04, "0.04"),
        (-0.04, "−0.04"),
        (0.001, "0.0"),
        (-0.0, "0.0"),
        (99.96, "100.0"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert plain(value) == text
    assert signed(value) == (f"+{text}" if value > 0.004 else text)


@given(st.floats(-1000, 1000))
def test_a_number_is_never_far_from_what_is_written(value: float) -> None:
    assert "-" not in plain(value)
    assert abs(float(plain(value).replace(MINUS, "-")) - value) <= 0.0500001


def test_words() -> None:
    assert (counted(1, "run"), counted(0, "run")) == ("1 run", "0 runs")
    assert (seeds((3, 3)), seeds((1, 1)), seeds((3, 2))) == ("3 seeds", "1 seed", "3 and 2 seeds")
    assert (points(-1.0), points(0.96), points(1.1)) == ("1.0 point", "1.0 point", "1.1 points")
    assert (listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"], "or")) == (
        "",
        "a",
        "a and b",
        "a, b or c",
    )
