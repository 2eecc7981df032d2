from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mmdetpre.results.run_table import RunTable, find_runs, read_run, run_table
from mmdetpre.results.run_table import TrainingRun as Run
from mmdetpre.utils.results import read_results, write_results

TRAIN = dict(lr=0.1, loss=2.0, data_time=0.1, time=0.2, epoch=1)


def start(work_dir: Path, time: str, lines: list[dict], report: dict | None = None) -> Path:
    """One start of a training, as mmengine and the hook leave it."""
    data = work_dir / time / "vis_data"
    data.mkdir(parents=True)
    (data / "config.py").write_text("")
    if lines:
        (data / "scalars.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if report:
        (work_dir / f"backbone_load_{time}.json").write_text(json.dumps(report))
    return work_dir


def val(step: int, **metrics: float) -> dict:
    return dict(metrics, data_time=0.1, time=0.2, step=step)


def train(step: int) -> dict:
    return dict(TRAIN, iter=step, step=step)


REPORT = dict(source="work_dirs/coco/backbone_final.pth", verdict="expected", digest="0123456789abcdef")


def test_a_run_with_report_validation_and_test(tmp_path: Path) -> None:
    lines = [train(50), val(1, mAP=0.4, loss_val=2.0), train(100), val(2, mAP=0.3, loss_val=3.0)]
    start(tmp_path, "20260101_000000", lines, REPORT)
    (tmp_path / "sniper_voc.py").write_text("")
    for time, value in (("20260102_000000", 0.1), ("20260103_000000", 0.35)):
        (tmp_path / "test" / time / "vis_data").mkdir(parents=True)
        (tmp_path / "test" / time / "vis_data" / "config.py").write_text("")
        (tmp_path / "test" / time / f"{time}.json").write_text(json.dumps(dict(mAP=value, time=1.0)))
    assert find_runs([tmp_path]) == [tmp_path]
    run = read_run(tmp_path)
    assert (run.config, run.backbone, run.verdict) == ("sniper_voc", REPORT["source"], "expected")
    assert run.metrics == {"mAP": dict(last=0.3, best=0.4, test=0.35), "loss_val": dict(last=3.0, best=2.0)}
    start(tmp_path, "20260104_000000", [train(150), val(3, mAP=0.5)])
    assert read_run(tmp_path).metrics["mAP"] == dict(last=0.5, best=0.5), "trained on since it was tested"


def test_resumed_parts_are_one_run_and_a_new_start_is_another(tmp_path: Path) -> None:
    start(tmp_path, "20260101_000000", [train(50), val(1, mAP=0.9)], dict(REPORT, verdict="complete"))
    start(tmp_path, "20260102_000000", [train(50), val(1, mAP=0.1), train(100)], REPORT)
    start(tmp_path, "20260103_000000", [train(150), val(2, mAP=0.2)])  # resumed: no report
    run = read_run(tmp_path)
    assert run.verdict == "expected" and run.metrics == {"mAP": dict(last=0.2, best=0.2)}
    start(tmp_path, "20260104_000000", [train(50), val(1, mAP=0.05)])  # from scratch
    run = read_run(tmp_path)
    assert run.verdict == "" and run.metrics == {"mAP": dict(last=0.05, best=0.05)}
    start(tmp_path, "20260105_000000", [], dict(REPORT, verdict="refused", digest=""))
    run = read_run(tmp_path)
    assert run.verdict == "refused" and run.metrics == {}, "numbers of an earlier run must not stand beside it"


def test_tables_show_what_is_missing(tmp_path: Path) -> None:
    runs = [
        Run(Path("a"), "one", "x.pth", "complete", "0123456789abcdef", {"coco/mAP": dict(last=0.5, best=0.625)}),
        Run(Path("b"), "two", metrics={"coco/mAP": dict(test=47.123), "mIoU": dict(last=0.25, best=0.25)}),
        Run(Path("c"), "three", "y.pth", "refused"),
    ]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in str(run_table(runs)).splitlines()]
    head = ["coco/mAP last", "coco/mAP best", "coco/mAP test", "mIoU last", "mIoU best", "work dir"]
    assert lines[0] == ["config", "backbone", "verdict", "digest", *head]
    assert lines[2] == ["one", "x.pth", "complete", "0123456789ab", "0.500", "0.625", "—", "—", "—", "a"]
    assert lines[3] == ["two", "—", "—", "—", "—", "—", "47.12", "0.250", "0.250", "b"]
    assert lines[4] == ["three", "y.pth", "refused", "—", "—", "—", "—", "—", "—", "c"]
    write_results(tmp_path / "runs.csv", [run_table(runs)])
    rows = list(csv.reader((tmp_path / "runs.csv").read_text().splitlines()))
    assert rows[2] == ["two", "", "", "", "", "", "47.123", "0.25", "0.25", "b"]
    write_results(tmp_path / "runs.json", [run_table(runs)])
    assert read_results(tmp_path / "runs.json", RunTable, "collect_results.py") == [run_table(runs)]
    chosen = str(run_table(runs, ["mAP"])).splitlines()[0]
    assert "coco/mAP best" in chosen and "mIoU" not in chosen
    with pytest.raises(ValueError, match="metric 'AP50'; there is coco/mAP, mIoU"):
        run_table(runs, ["AP50"])


def test_bad_folders_and_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run in"):
        find_runs([tmp_path])
    with pytest.raises(FileNotFoundError, match="none is not a folder"):
        find_runs([tmp_path / "none"])
    start(tmp_path, "20260101_000000", [train(50)])
    (tmp_path / "20260101_000000" / "vis_data" / "scalars.json").write_text('{"lr": 0.1,')
    with pytest.raises(ValueError, match="scalars.json is not JSON"):
        read_run(tmp_path)
