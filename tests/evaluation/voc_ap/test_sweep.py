from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mmdetpre.evaluation.voc_ap.average_precision import voc_average_precision
from mmdetpre.evaluation.voc_ap.scores import WRITER, VOCScores, compare, iou_key, require_same_test
from mmdetpre.evaluation.voc_ap.sweep import sweep_runs
from mmdetpre.utils.results import read_results, write_results


def scores_of(run, *args, **kwargs):
    return VOCScores.of_result(voc_average_precision(run, *args, **kwargs))


def read(path):
    return read_results(path, VOCScores, WRITER)


@pytest.fixture
def files(drawn_run, tmp_path):
    """Two runs on the same images, as detections and as JSON."""
    run = drawn_run(0)
    worse = replace(run, boxes=run.boxes + 3)
    for name, one in (("a", run), ("b", worse)):
        one.save(tmp_path / f"{name}.npz")
        write_results(tmp_path / f"{name}.json", [scores_of(one)])
    return tmp_path


def test_json_and_detections_give_the_same_runs(files):
    from_json = sweep_runs([f"first={files}/a.json", f"second={files}/b.json"])
    assert sweep_runs([f"first={files}/a.npz", f"second={files}/b.npz"]) == from_json
    assert [run.label for run in from_json] == ["first", "second"]
    assert from_json[0].mean_ap != from_json[1].mean_ap


def test_detections_are_evaluated_like_the_json_beside_them(files, drawn_run):
    area = scores_of(drawn_run(0), [0.5, 0.7], mode="area", plus_one=False)
    write_results(files / "area.json", [area])
    first, second = sweep_runs([f"x={files}/a.npz", f"y={files}/area.json"])
    assert first == replace(second, label="x")


def test_options_decide_how_detections_are_evaluated(files):
    (run,) = sweep_runs([f"x={files}/a.npz"], iou_thrs=[0.25, 0.5], mode="area", plus_one=False)
    assert (run.iou_thrs, run.mode, run.plus_one) == ((0.25, 0.5), "area", False)


def test_files_say_how_their_boxes_are_measured(files, drawn_run):
    marked = replace(drawn_run(0), plus_one=True)
    marked.save(files / "voc.npz")
    write_results(files / "voc.json", [scores_of(marked)])
    first, second = sweep_runs([f"x={files}/voc.npz", f"y={files}/voc.json"])
    assert first == replace(second, label="x") and first.plus_one
    assert first.mean_ap != sweep_runs([f"x={files}/a.npz"])[0].mean_ap
    for other in ("a.npz", "a.json"):
        with pytest.raises(ValueError, match=r"differ in their metric \(mode and plus_one\): .*False.*True"):
            sweep_runs([f"x={files}/voc.npz", f"y={files}/{other}"])
    with pytest.raises(ValueError, match="'y' was evaluated with plus_one=False, asked for is plus_one=True"):
        sweep_runs([f"x={files}/voc.npz", f"y={files}/a.json"], plus_one=True)


def test_differences_are_to_the_first_run(files):
    runs = sweep_runs([f"first={files}/a.json", f"second={files}/b.json"])
    lines = compare(runs).splitlines()
    assert lines[0].split() == [
        "mAP",
        "(%)",
        "at",
        "IoU",
        *["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"],
    ]
    assert lines[2].split()[1] == f"{100 * runs[0].mean_ap[0]:.1f}"
    gain = 100 * (runs[1].mean_ap[8] - runs[0].mean_ap[8])
    assert lines[4].startswith("  minus first") and lines[4].split()[-1] == f"{gain:+.1f}" and gain < 0


@pytest.mark.parametrize(
    ("iou", "key"), [(0.1, "AP10"), (0.05, "AP05"), (0.29, "AP29"), (0.55, "AP55"), (0.525, "AP52.5"), (1.0, "AP100")]
)
def test_names_of_thresholds(iou, key):
    assert iou_key(iou) == key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iou_thrs": (0.5,)}, r"differ in their IoU thresholds: \[0.5\] and"),
        ({"mode": "area"}, "differ in their metric"),
        ({"classes": ()}, "differ in their classes"),
        ({"objects": 1}, "differ in their numbers of boxes per class"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(files, change, message):
    (first,) = read(files / "a.json")
    if "objects" in change:
        more = replace(first.classes[0], objects=first.classes[0].objects + 1)
        change = {"classes": (more, *first.classes[1:])}
    run = replace(first, **change)
    write_results(files / "other.json", [run])
    with pytest.raises(ValueError, match="'b' and 'a' cannot be compared, they " + message):
        require_same_test([replace(first, label="a"), replace(run, label="b")])
    if "mode" in change or "iou_thrs" in change:
        with pytest.raises(ValueError, match=r"'b' was evaluated with .* asked for is .*\.npz"):
            sweep_runs([f"a={files}/a.json", f"b={files}/other.json"])
    else:
        with pytest.raises(ValueError, match="cannot be compared"):
            sweep_runs([f"a={files}/a.json", f"b={files}/other.json"])


def test_what_is_no_run_is_refused(files):
    (files / "other.json").write_text(json.dumps({"mAP": 0.5}))
    (files / "broken.json").write_text("{")
    write_results(files / "two.json", read(files / "a.json") * 2)
    for arguments, message in (
        (["a.json"], "another form than NAME=FILE"),
        ([f"a={files}/other.json"], "other.json holds no AP over IoU"),
        ([f"a={files}/broken.json"], "broken.json holds no AP over IoU"),
        ([f"a={files}/two.json"], "holds 2 runs"),
        ([f"a={files}/a.json", f"a={files}/b.json"], "Two runs are called .a."),
    ):
        with pytest.raises(ValueError, match=message):
            sweep_runs(arguments)
    with pytest.raises(FileNotFoundError, match="no file .*none.json for the run 'a'"):
        sweep_runs([f"a={files}/none.json"])


def test_runs_without_ground_truth_or_of_other_classes_are_refused(files, drawn_run):
    run = drawn_run(0)
    replace(run, truth=None).save(files / "blind.npz")
    replace(run, classes=("x", *run.classes[1:])).save(files / "renamed.npz")
    with pytest.raises(ValueError, match="Run 'b': These detections come without ground truth"):
        sweep_runs([f"a={files}/a.npz", f"b={files}/blind.npz"])
    with pytest.raises(ValueError, match="'b' and 'a' cannot be compared, they differ in their classes"):
        sweep_runs([f"a={files}/a.npz", f"b={files}/renamed.npz"])


def test_files_are_kept_unless_told(files):
    runs = sweep_runs([f"a={files}/a.json"])
    before = (files / "a.json").read_text()
    with pytest.raises(FileExistsError):
        write_results(files / "a.json", runs)
    assert (files / "a.json").read_text() == before
    write_results(files / "a.json", runs, overwrite=True)
    assert read(files / "a.json") == runs
