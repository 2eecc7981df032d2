"""Curves over the part of the labels: read from the records, said in a sentence, drawn on the page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mmdetpre.study.report.contents import read_report
from mmdetpre.study.report.label_curves import labels_needed
from mmdetpre.study.report.write import write_report

SCORES = {
    "scratch": {0.01: (10.0, 12.0), 0.1: (20.0, 22.0), 1.0: (40.0, 42.0)},
    "coco": {0.01: (30.0, 32.0), 0.1: (50.0, 52.0), 1.0: (60.0, 62.0)},
}
KEYS = {0.01: "voc_segmentation_1pct", 0.1: "voc_segmentation_10pct", 1.0: "voc_segmentation"}


@pytest.fixture
def curve_study(empty_study: Any) -> Any:
    """A segmentation with three parts of its labels."""
    empty_study.plan["tasks"] = {
        key: {
            "kind": "segmentation", "title": f"VOC {fraction}", "data": "voc_seg", "table": "4",
            "fraction": fraction, "whole": "voc_segmentation",
        }
        for fraction, key in KEYS.items()
    }  # fmt: skip
    for init, by_fraction in SCORES.items():
        for fraction, values in by_fraction.items():
            for seed, value in enumerate(values):
                key = KEYS[fraction]
                run = f"{key}/{init}/seed{seed}"
                empty_study.planned(run, key, init, seed)
                own = "" if fraction == 1 else f"{key}."
                empty_study.record(run, {("4", init, f"{own}miou"): value})
    return empty_study


def test_the_curve_and_what_it_says(curve_study: Any) -> None:
    (curve,) = read_report(curve_study.out).curves
    assert curve.fractions == (0.01, 0.1, 1.0) and list(curve.rows) == ["scratch", "coco"]
    assert [one.mean for one in curve.rows["coco"] if one] == [31, 51, 61]
    # from 31 at 1 % to 51 at 10 %: 41 is half way of the logarithm
    assert curve.sentences == (
        "On VOC 1.0, COCO reaches with about 3.2 % of the labels what scratch does with 100 % (mIoU, means, no"
        " interval).",
    )
    xs = [x for x, _ in curve.lines["coco"]]
    assert xs == curve.ticks and xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2), "a logarithmic scale"
    assert curve.lines["coco"][-1][1] < curve.lines["scratch"][-1][1], "more is higher"


def test_what_is_compared_is_called_by_its_kind_not_by_the_first_part(curve_study: Any) -> None:
    for task in curve_study.plan["tasks"].values():
        task["kind"] = "classification"  # whose columns are called by their data
    curve_study.put("study.json", curve_study.plan)
    (curve,) = read_report(curve_study.out).curves
    assert curve.quantity == "accuracy after fine-tuning"


def test_page_tables_and_json_have_it(curve_study: Any) -> None:
    page = write_report(curve_study.out)
    assert "<svg" in page.read_text() and "How many labels: VOC 1.0, mIoU" in page.read_text()
    assert "| COCO | 31.0 ± 1.4 | 51.0 ± 1.4 | 61.0 ± 1.4 |" in (page.parent / "tables.md").read_text()
    (curve,) = json.loads((page.parent / "report.json").read_text())["label_curves"]
    assert curve["fractions"] == [0.01, 0.1, 1.0] and curve["rows"]["scratch"][2]["mean"] == 41


def test_one_part_is_no_curve(shared_study: Any) -> None:
    assert read_report(shared_study.out).curves == []


def test_labels_that_it_takes() -> None:
    assert labels_needed([0.1, 1.0], [50.0, 60.0], 40.0) == 0.1
    assert labels_needed([0.1, 1.0], [10.0, 20.0], 40.0) is None
    assert labels_needed([0.1, 0.5, 1.0], [10.0, None, 20.0], 20.0) == pytest.approx(1.0)
