"""Rows say which is better, whether a target is met, and why not; measuring in turn is in turn."""

import importlib
import json
import math

import pytest
from side_by_side import (
    Row,
    alone,
    cells,
    in_turn,
    markdown_of,
    number,
    read_rows,
    run,
    text_of,
    write_rows,
)


def row(**changes):
    return Row(**(dict(what="merge", unit="ms", ours=2.0, theirs=10.0, against="mmcv") | changes))


def test_less_time_and_more_per_second_are_better():
    assert row().ratio == 5
    assert row(unit="images/s").ratio == 0.2
    assert row(theirs=None, against="").ratio is None


def test_the_share_of_a_limit_is_at_most_one():
    assert row(limit=1.0, limit_is="reading the file").of_limit == 0.5
    assert row(unit="images/s", limit=8.0, limit_is="decoding").of_limit == 0.25
    assert row(unit="MB", ours=0.0, limit=8.0, limit_is="the table").of_limit is None


@pytest.mark.parametrize(
    ("changes", "met"),
    [
        ({}, None),
        ({"gain": 5}, True),
        ({"gain": 5.1}, False),
        ({"bound": 2.0}, True),
        ({"bound": 1.9}, False),
        ({"gain": 5, "bound": 1.9}, False),
        ({"unit": "images/s", "bound": 2.0}, True),
        ({"unit": "images/s", "bound": 2.1}, False),
        ({"gain": 2, "theirs": None, "against": ""}, False),
    ],
)
def test_targets(changes, met):
    assert row(**changes).met is met


def test_a_missed_target_is_shown_with_its_reason():
    rows = [row(gain=9, reason="decoding takes nine tenths"), row(what="mining", gain=2, reason="never shown")]
    for table in (text_of(rows), markdown_of(rows)):
        assert "MISSED merge: decoding takes nine tenths" in table
        assert "never shown" not in table
        assert "9 x MISSED" in table and "2 x met" in table
    assert "no reason is known" in text_of([row(bound=1)])


def test_cells_stand_in_the_order_of_the_headings():
    found = cells(row(limit=1.0, limit_is="reading", gain=4))
    assert found == ("merge", "ms", "2.00", "10.0", "5.00 x", "4 x met", "1.00", "50 %", "mmcv; limit: reading")


@pytest.mark.parametrize("changes", [{"ours": math.nan}, {"theirs": -1.0}, {"against": ""}, {"limit": 1.0}])
def test_impossible_rows_are_refused(changes):
    with pytest.raises(ValueError, match="merge: "):
        row(**changes)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (99.96, "100.0"), (123.4, "123"), (12345.6, "12,346"),
     (0, "0"), (None, ""), (1e-9, "0.000000")],
)  # fmt: skip
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_ways_are_measured_in_turn_after_a_warm_up():
    order = []
    times = in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b") or 7}, repeats=3)
    assert "".join(order) == "ab" * 4
    assert times["b"].result == 7
    assert len(times["a"].seconds) == 3 and times["a"].median >= 0


def test_rounds_go_on_until_the_time_is_reached():
    times = in_turn({"a": lambda: sum(range(1000))}, repeats=1, seconds=0.01, warm_up=False)
    assert len(times["a"].seconds) > 1


WORK = """
import numpy as np
from side_by_side import memory_of

def added():
    return memory_of(lambda: [np.ones(80 << 20, np.uint8), np.ones(40 << 20, np.uint8)][1])[1:]
"""


def test_memory_is_what_the_work_adds(tmp_path, monkeypatch):
    (tmp_path / "some_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    kept, peak = alone(importlib.import_module("some_work").added)
    assert 35 < kept < 70
    assert 115 < peak < 160


def test_rows_survive_a_file(tmp_path):
    rows = [row(gain=2), row(what="b", theirs=None, against="")]
    write_rows(tmp_path / "rows.json", rows)
    assert read_rows(tmp_path / "rows.json") == rows


def test_the_command_line_prints_the_table_and_writes_the_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["x.py", "--size", "3", "--json", str(tmp_path / "rows.json")])
    assert run("doc", lambda args: [row(ours=args.size)], lambda p: p.add_argument("--size", type=float)) == 0
    assert "mmcv" in capsys.readouterr().out
    assert json.loads((tmp_path / "rows.json").read_text())[0]["ours"] == 3
