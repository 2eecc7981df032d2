from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.analysis.closest_pairs.report import (
    ClosestPairs,
    ImagePair,
    check_numbers_of_clusters,
    check_spaces,
    report_pairs,
)
from mmdetpre.analysis.features.feature_file import write_features
from mmdetpre.analysis.features.spaces import FeatureSpace, open_spaces
from mmdetpre.utils.results import read_results, write_results


@pytest.fixture
def spaces(tmp_path: Path) -> tuple[FeatureSpace, FeatureSpace]:
    """Images 0 to 5 on a line in A; in B 0 and 1 are far apart, and 2 is near 5."""
    for name, line in (("a", [0, 1, 10, 12, 20, 23]), ("b", [0, 50, 100, 140, 190, 101])):
        write_features(
            tmp_path / name,
            {"fc": np.array(line, np.float32)[:, None]},
            images=[f"{i}.jpg" for i in range(6)],
            labels=[0, 0, 1, 1, 1, 0],
            classes=["cat", "dog"],
        )
    return open_spaces({"A": tmp_path / "a", "B": tmp_path / "b"})


CLUSTERS = [  # of each space: many, few
    (np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 0, 0, 1, 1])),
    (np.array([0, 1, 2, 3, 4, 2]), np.array([0, 1, 1, 1, 1, 1])),
]


def rows(report: ClosestPairs) -> list[list[list[int]]]:
    return [[list(pair.rows) for pair in one.pairs] for one in report.lists]


def test_four_lists_with_values_and_ranks_in_both_spaces(spaces, tmp_path):
    report = report_pairs(spaces, 2, "l2", clusters=CLUSTERS)
    assert [one.title for one in report.lists] == [
        "closest in A",
        "closest in B",
        "close in A, distant in B",
        "close in B, distant in A",
    ]
    assert rows(report) == [[[0, 1], [2, 3]], [[2, 5], [3, 5]], [[0, 1]], [[2, 5]]]
    assert report.lists[0].pairs[0] == ImagePair(
        (0, 1), ("0.jpg", "1.jpg"), ("cat", "cat"), {"A": 1.0, "B": 50.0}, {"A": 1, "B": 4}
    )
    assert report.all_pairs == 15 and "closest in A" in str(report)
    assert ["0.jpg", "1.jpg", "1.0000", "1", "50.0000", "4"] in [line.split() for line in str(report).splitlines()]
    write_results(tmp_path / "pairs.json", [report])
    assert json.loads((tmp_path / "pairs.json").read_text())["format"] == "mmdetpre closest pairs"
    assert read_results(tmp_path / "pairs.json", ClosestPairs, "closest_pairs.py") == [report]
    assert report.rows()[1] == ["closest in A", "0.jpg", "1.jpg", "cat", "cat", 1.0, 1, 50.0, 4]


def test_reads_a_file_of_an_earlier_version(tmp_path):
    pair = {
        "rows": [0, 1],
        "images": ["a", "b"],
        "classes": None,
        "values": {"A": 1.0, "B": 2},
        "ranks": {"A": 1, "B": 1},
    }
    content = {
        "format": "mmdetpre closest pairs",
        "spaces": [{"name": name, "layer": "fc", "dimensions": 3, "file": name} for name in "AB"],
        "images": 2, "all_pairs": 1, "metric": "l2", "classes": "all", "duplicates": None, "once": False,
        "lists": [{"title": "closest in A", "space": "A", "pairs": [pair]}],
    }  # fmt: skip
    (tmp_path / "old.json").write_text(json.dumps(content))
    (found,) = read_results(tmp_path / "old.json", ClosestPairs, "closest_pairs.py")
    assert found.lists[0].pairs[0].values == {"A": 1.0, "B": 2.0} and found.close_k is None


def test_choices(spaces):
    assert rows(report_pairs(spaces, 2, "l2", classes="different")) == [[[4, 5], [1, 2]], [[2, 5], [3, 5]]]
    assert rows(report_pairs(spaces, 1, "l2", classes="same", clusters=CLUSTERS)) == [[[0, 1]], [[2, 3]], [[0, 1]], []]
    assert rows(report_pairs(spaces, 1, "l2", duplicates=1)) == [[[2, 3]], [[3, 5]]]
    assert "close in B, distant in A: there is no such pair." in str(
        report_pairs(spaces, 1, "l2", classes="same", clusters=CLUSTERS)
    )


def test_each_image_once_takes_the_best_that_is_left(spaces):
    assert rows(report_pairs(spaces, 3, "l2", once=True)) == [[[0, 1], [2, 3], [4, 5]], [[2, 5], [0, 1], [3, 4]]]
    random = np.random.default_rng(0)
    values = random.normal(size=(80, 4)).astype(np.float32)
    values[0] *= 100  # in the first pairs by inner product
    space = FeatureSpace("A", "fc", values, write_like(spaces[0], values))
    report = report_pairs([space, space], 30, "inner", once=True)
    products, left, expected = values.astype(float) @ values.T.astype(float), np.ones(80, bool), []
    for _ in range(30):
        allowed = np.triu(left[:, None] & left, 1)
        i, j = np.unravel_index(np.argmax(np.where(allowed, products, -np.inf)), products.shape)
        left[[i, j]] = False
        expected.append([int(i), int(j)])
    assert rows(report)[0] == expected


def write_like(space: FeatureSpace, values: np.ndarray):
    path = space.file.path.with_name("more")
    return write_features(path, {"fc": values}, images=[f"{i}.jpg" for i in range(len(values))])


def test_says_what_is_wrong(spaces):
    check_numbers_of_clusters(1001, 1001, 4)
    for settings, message in (
        ((360, 1001, 4), r"1001 clusters \(--close-k\) of 360 images are impossible.* give --close-k 36, say"),
        ((360, 4, 4), "close_k is 4 and distant_k 4"),
        ((360, 4, 1), "distant_k 1: give 2 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            check_numbers_of_clusters(*settings)
    check_spaces(spaces, "l2")
    with pytest.raises(ValueError, match="fc of 'A': the features of image 0 all have the value 0"):
        check_spaces(spaces, "correlation")
    with pytest.raises(ValueError, match="choose one of all, same, different"):
        report_pairs(spaces, 1, classes="other")
    unlabeled = FeatureSpace("A", "fc", spaces[0].values, write_like(spaces[0], spaces[0].values))
    assert report_pairs([unlabeled] * 2, 1, "l2").lists[0].pairs[0].classes is None
    with pytest.raises(ValueError, match="6 of 6 images have no class"):
        report_pairs([unlabeled] * 2, 1, "l2", classes="same")
