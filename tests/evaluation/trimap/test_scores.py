from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mmdetpre.evaluation.trimap.counts import count_image
from mmdetpre.evaluation.trimap.scores import (
    WRITER,
    TrimapScores,
    compare_classes,
    compare_whole,
    compare_widths,
    read_runs,
)
from mmdetpre.utils.results import read_results, write_results

CLASSES = ("ground", "cat", "dog", "none")
TRUTH = np.array([[0, 0, 0, 255, 1, 1, 255, 2, 2, 2, 2, 2]])


def run(prediction, label=""):
    counts = count_image(TRUTH, np.array([prediction]), classes=4, widths=(1, 3))
    return TrimapScores.of_counts(counts, CLASSES, "void", label)


@pytest.fixture
def runs():
    right = [0, 0, 0, 0, 1, 1, 0, 2, 2, 2, 2, 2]
    at_the_edge = [0, 0, 1, 0, 1, 1, 0, 1, 2, 2, 2, 2]
    return [run(at_the_edge, "first"), run(right, "second")]


def test_values_per_region_and_width(runs):
    first = runs[0]
    assert first.whole.pixels == 10 and first.trimap.pixels == (4, 8)
    assert first.trimap.class_pixels == ((1, 2, 1, 0), (3, 2, 3, 0))
    assert first.trimap.iou[0] == (0, 0.5, 0, None) and first.anti_trimap.iou[0] == (1, None, 1, None)
    assert first.trimap.accuracy[0] == 0.5 and first.anti_trimap.mean_iou == (1, 1)
    assert np.isclose(first.trimap.mean_iou[1], (2 / 3 + 2 / 4 + 2 / 3) / 3)


def test_classes_that_leave_the_mean_are_told(runs):
    assert runs[0].mean_changes() == [
        f"anti-trimap: '{name}' has no pixel at width {widths}, so the means there leave it out: the curve may jump."
        for name, widths in (("ground", "3"), ("cat", "1, 3"))
    ]


def test_tables(runs):
    lines = [line.split() for line in runs[0].width_table().splitlines()]
    assert lines[2] == ["1", "40.00", "16.67", "50.00", "100.00", "100.00"]
    assert lines[-1] == ["whole", "image", "100.00", "65.56", "80.00", "-", "-"]
    lines = [line.split() for line in runs[0].class_table().splitlines()]
    assert lines[3] == ["cat", "50.00", "50.00", "-", "50.00", "-"]
    inside, outside = compare_widths(runs).split("\n\n")
    assert inside.splitlines()[-1].split() == ["minus", "first", "+34.44", "+83.33", "+38.89"]
    assert outside.splitlines()[-1].split() == ["minus", "first", "+34.44", "+0.00", "+0.00"]


def test_class_differences_are_sorted_by_their_size_near_the_boundary(runs):
    lines = [line.split() for line in compare_classes(runs[1], runs[0], 1).splitlines()]
    assert [line[0] for line in lines[2:6]] == ["ground", "dog", "cat", "none"]
    assert lines[2][1:] == ["0.00", "100.00", "+100.00", "100.00", "100.00", "+0.00"]
    assert lines[4][1:] == ["50.00", "100.00", "+50.00", "-", "-", "-"] and lines[5][1:] == ["-"] * 6
    assert lines[-1] == ["mean", "16.67", "100.00", "+83.33", "100.00", "100.00", "+0.00"]
    with pytest.raises(ValueError, match="no width 2: choose one of 1, 3"):
        compare_classes(runs[1], runs[0], 2)


def test_files_are_read_back_and_kept_unless_told(runs, tmp_path):
    for name, one in zip(("a", "b"), runs, strict=True):
        write_results(tmp_path / "new" / f"{name}.json", [one])
    assert read_results(tmp_path / "new/a.json", TrimapScores, WRITER) == runs[:1]
    again = read_runs([f"first={tmp_path}/new/a.json", f"second={tmp_path}/new/b.json"])
    assert again == runs
    for name in ("a.json", "a.csv"):
        write_results(tmp_path / "new" / name, runs, overwrite=True)
        with pytest.raises(FileExistsError):
            write_results(tmp_path / "new" / name, runs)
    with pytest.raises(ValueError, match="a.json holds 2 runs"):
        read_runs([f"x={tmp_path}/new/a.json"])


def test_what_is_no_run_is_refused(tmp_path):
    (tmp_path / "other.json").write_text(json.dumps({"mIoU": 0.5}))
    (tmp_path / "broken.json").write_text("{")
    for name in ("other", "broken"):
        with pytest.raises(ValueError, match=f"{name}.json holds no scores over trimap width"):
            read_results(tmp_path / f"{name}.json", TrimapScores, WRITER)
    with pytest.raises(FileNotFoundError, match="no file .*none.json"):
        read_results(tmp_path / "none.json", TrimapScores, WRITER)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": (1, 2)}, "widths"),
        ({"boundary": "label"}, "boundary"),
        ({"classes": ("a",)}, "classes"),
        ({"class_pixels": (1, 2, 3, 4)}, r"annotated pixels \(another split\?\)"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(runs, change, message, tmp_path):
    if "class_pixels" in change:
        change = {"whole": replace(runs[1].whole, **change)}
    write_results(tmp_path / "a.json", [runs[0]])
    write_results(tmp_path / "b.json", [replace(runs[1], **change)])
    with pytest.raises(ValueError, match=f"'second' and 'first' cannot be compared, they differ in their {message}"):
        read_runs([f"first={tmp_path}/a.json", f"second={tmp_path}/b.json"])


def test_differences_on_whole_images_begin_with_the_greatest_gain(runs):
    lines = [line.split() for line in compare_whole(runs[1], runs[0]).splitlines()]
    assert lines[0][-3:] == ["first", "second", "difference"], "these classes are not the paper's"
    first, second = runs[0].whole.iou, runs[1].whole.iou
    gains = {name: b - a for name, a, b in zip(CLASSES, first, second, strict=True) if None not in (a, b)}
    assert [line[0] for line in lines[2:6]] == [*sorted(gains, key=lambda name: -gains[name]), "none"]
    assert float(lines[2][3]) == pytest.approx(100 * max(gains.values()), abs=0.01)
    mean = runs[1].whole.mean_iou - runs[0].whole.mean_iou
    assert lines[-1][0] == "mean" and lines[-1][-1] == f"{100 * mean:+.2f}"


def test_the_papers_class_gains_stand_beside_classes_of_voc(runs):
    voc = [replace(one, classes=("background", "cow", "pottedplant", "sheep")) for one in runs]
    lines = {line.split()[0]: line.split()[-1] for line in compare_whole(voc[1], voc[0]).splitlines()}
    assert (lines["cow"], lines["sheep"], lines["pottedplant"], lines["background"]) == ("+6.5", "+7.5", "none", "-")
