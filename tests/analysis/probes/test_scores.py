"""Scores of predictions, their intervals, and the file of a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from mmdetpre.analysis.probes.scores import read_result, scores, wilson_interval, write_result


@pytest.mark.parametrize(("right", "total"), [(0, 7), (7, 7), (5, 12), (930, 1000)])
def test_interval_is_that_of_scipy(right: int, total: int) -> None:
    expected = binomtest(right, total).proportion_ci(method="wilson")
    assert wilson_interval(right, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_balanced_accuracy_counts_classes_equally() -> None:
    labels = np.array([0] * 90 + [2] * 10)
    predicted = np.array([0] * 90 + [2] * 4 + [0] * 6)
    found = scores(predicted, labels)
    assert found["accuracy"] == 0.94 and found["balanced_accuracy"] == pytest.approx(0.7)
    assert found["per_class"] == {0: [90, 90], 2: [4, 10]}
    low, high = found["balanced_accuracy_interval"]
    deviation = np.sqrt(0.4 * 0.6 / 10) / 2
    assert low == pytest.approx(0.7 - 1.96 * deviation, abs=0.03) and high == pytest.approx(
        0.7 + 1.96 * deviation, abs=0.03
    )
    assert scores(predicted, labels) == found


def test_results_are_written_once_and_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "fc1.json"
    write_result(path, {"layer": "fc1", "accuracy": 0.5})
    assert read_result(path)["layer"] == "fc1"
    with pytest.raises(FileExistsError, match="--force"):
        write_result(path, {})
    write_result(path, {"layer": "fc2"}, overwrite=True)
    assert read_result(path)["layer"] == "fc2"


def test_other_files_are_no_results(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_result(tmp_path / "nowhere.json")
    for content, message in (
        ("{", "is no result of a probe"),
        ("[]", "is no result of a probe"),
        ("{}", r"says \(None, None\), expected \('mmdetpre probe', 1\)"),
        ('{"format": "mmdetpre probe", "version": 2}', r"'mmdetpre probe', 2"),
    ):
        (tmp_path / "a.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            read_result(tmp_path / "a.json")
