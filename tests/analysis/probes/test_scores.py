"""Scores of predictions, their intervals, and the file of a result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from mmdetpre.analysis.probes.scores import KnnProbe, LinearProbe, read_probe, scores, wilson_interval
from mmdetpre.utils.results import write_results


@pytest.mark.parametrize(("right", "total"), [(0, 7), (7, 7), (5, 12), (930, 1000)])
def test_interval_is_that_of_scipy(right: int, total: int) -> None:
    expected = binomtest(right, total).proportion_ci(method="wilson")
    assert wilson_interval(right, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_balanced_accuracy_counts_classes_equally() -> None:
    labels = np.array([0] * 90 + [2] * 10)
    predicted = np.array([0] * 90 + [2] * 4 + [0] * 6)
    found = scores(predicted, labels)
    assert found.accuracy == 0.94 and found.balanced_accuracy == pytest.approx(0.7)
    assert found.per_class == {"0": (90, 90), "2": (4, 10)}
    low, high = found.balanced_accuracy_interval
    deviation = np.sqrt(0.4 * 0.6 / 10) / 2
    assert low == pytest.approx(0.7 - 1.96 * deviation, abs=0.03) and high == pytest.approx(
        0.7 + 1.96 * deviation, abs=0.03
    )
    assert scores(predicted, labels) == found


SCORES = {"accuracy": 0.5, "accuracy_interval": [0.4, 0.6], "balanced_accuracy": 0.45,
          "balanced_accuracy_interval": [0.35, 0.55], "per_class": {"0": [5, 10]}}  # fmt: skip
HEAD = {
    "format": "mmdetpre probe", "version": 1, "layer": "fc1", "initialisation": "OpenImages", "data": "Caltech-256",
    "backbone_digest": "sha256:0", "classes": ["a"], "values": 1024, "notes": [],
    "train": {"path": "train", "images": 20, "digest": "1"}, "test": {"path": "test", "images": 100, "digest": "2"},
}  # fmt: skip
KNN = {**HEAD, **SCORES, "probe": "knn", "neighbours": 5, "metric": "cosine", "weighted": False,
       "sweep": {"neighbours": [1, 5], "left_out_accuracy": [0.4, 0.5]}}  # fmt: skip
LINEAR = {
    **HEAD, **SCORES, "probe": "linear", "accuracy_spread": 0.01, "balanced_accuracy_spread": 0.02,
    "settings": {"strengths": [1e-2], "seeds": [0]}, "notes": ["a fit stopped"],
    "seeds": [{"seed": 0, "strength": 0.01, "validation_accuracy": 0.5, "train_accuracy": 1.0, **SCORES}],
    "sweep": {"strengths": [1e-2], "validation_accuracy": [[0.5]], "validation": 0.2},
}  # fmt: skip
"""Files as earlier versions wrote them."""
del LINEAR["per_class"]


@pytest.mark.parametrize(("content", "cls"), [(KNN, KnnProbe), (LINEAR, LinearProbe)])
def test_files_of_earlier_versions_are_read_and_written_alike(tmp_path: Path, content: dict, cls: type) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(content))
    found = read_probe(path)
    assert type(found) is cls and (found.init, found.test.images) == ("OpenImages", 100)
    write_results(tmp_path / "new" / "again.json", [found])
    assert (
        json.loads((tmp_path / "new" / "again.json").read_text())
        == {"settings": None} | ({"right": []} if cls is LinearProbe else {}) | content
    )
    assert read_probe(tmp_path / "new" / "again.json") == found
    with pytest.raises(FileExistsError):
        write_results(path, [found])
    assert found.rows()[1][:6] == ["fc1", "OpenImages", "Caltech-256", found.probe, 100, 0.5]


def test_results_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(KNN))
    assert str(read_probe(tmp_path / "a.json")) == (
        "fc1 (1024 values), 5 nearest by cosine: accuracy 50.0 [40.0, 60.0], balanced 45.0 [35.0, 55.0],"
        " 100 test images"
    )
    (tmp_path / "a.json").write_text(json.dumps(LINEAR))
    line, note = str(read_probe(tmp_path / "a.json")).splitlines()
    assert line.startswith("fc1 (1024 values), linear, L2 0.01: accuracy 50.0 (sd 1.0) [40.0, 60.0]")
    assert note == "  Note: a fit stopped."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "holds no probe"),
        ("[]", "holds no probe"),
        ("{}", "holds no probe"),
        ('{"format": "mmdetpre probe", "version": 2}', "its version is 2, expected 1"),
        ('{"format": "mmdetpre probe", "version": 1}', "its probe is None, expected one of linear, knn"),
        (json.dumps(KNN | {"neighbours": "5"}), "expected int @ KnnProbe.neighbors"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_probe(tmp_path / "a.json")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file .*nowhere.json"):
        read_probe(tmp_path / "nowhere.json")
