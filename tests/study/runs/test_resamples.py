"""What the tests of runs leave gives their scores on resamples of the test images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.evaluation.trimap.counts import count_image, region_scores
from mmdetpre.evaluation.voc_ap.average_precision import voc_average_precision
from mmdetpre.results.run_table import TrainingRun
from mmdetpre.study.layout import config_path, work_dir
from mmdetpre.study.records import Cell, _cell, _part
from mmdetpre.study.runs.cells import classification_cells, detection_cells, segmentation_cells
from mmdetpre.study.runs.parts import by_class
from mmdetpre.study.runs.result import RunResult
from mmdetpre.utils.whole_file import write_text
from mmdetpre.visualization.segmentation_images import images_of_config

ROOT = Path(__file__).resolve().parents[3]


def job(out: Path, kind: str, config: str, **settings: Any) -> Any:
    """A run whose training and test are done."""
    write_text(config_path(out, "run"), config)
    folder = work_dir(out, "run")
    (folder / "test").mkdir(parents=True)
    settings = {"column": "mine", **settings}
    return SimpleNamespace(
        out=out, id="run", kind=kind, init="coco", root=out, folder=folder, settings=settings, run={"task": "t"}
    )


def run_with(**scores: float) -> TrainingRun:
    metrics = {name.replace("__", "/"): {"test": value} for name, value in scores.items()}
    return SimpleNamespace(metrics=metrics)  # type: ignore[return-value]


def test_accuracy_has_resamples(tmp_path: Path) -> None:
    one = job(tmp_path, "classification", f"_base_ = {str(ROOT / 'configs/cls/caltech256_sample.py')!r}\n")
    right = [i % 4 != 0 for i in range(80)]
    rows = [f"{i:03}.jpg,1,{int(ok)},0.9,0.9" for i, ok in enumerate(right)]
    write_text(one.folder / "test" / "labels.csv", "\n".join(["image,label,prediction,score,true_score", *rows]))
    write_text(one.folder / "test" / "classes.txt", "cat\ndog\n")
    ((cell,), notes, parts) = classification_cells(one, run_with(accuracy__top1=75.0))
    assert [(part.name, part.value, part.count) for part in parts] == [("cat", None, 0), ("dog", 75.0, 80)]
    assert parts[1].resampled is not None and len(parts[1].resampled.values) == 200
    assert notes == [] and cell.resampled is not None and cell.resampled.images == 80
    assert np.mean(cell.resampled.values) == pytest.approx(75, abs=0.5)
    assert np.std(cell.resampled.values) == pytest.approx(100 * np.sqrt(0.75 * 0.25 / 80), rel=0.1)
    record: Any = RunResult(cells=(cell,), parts=tuple(parts)).to_dict()
    assert _cell(record["cells"][0]) == cell, "as the record has it"
    assert [_part(part) for part in record["parts"]] == parts


def test_without_what_the_test_stores_there_is_no_interval_and_no_failure(tmp_path: Path) -> None:
    one = job(tmp_path, "classification", f"_base_ = {str(ROOT / 'configs/cls/caltech256_sample.py')!r}\n")
    cells, notes, parts = classification_cells(one, run_with(accuracy__top1=75.0))
    assert parts == [] and cells == [Cell("5", "", "coco", "mine", 75.0)]
    assert len(notes) == 1 and notes[0].startswith("No interval over the test images, no") and "labels.csv" in notes[0]


def test_average_precision_has_resamples(tmp_path: Path) -> None:
    one = job(tmp_path, "detection", f"_base_ = {str(ROOT / 'configs/det/sniper_voc_sample.py')!r}\n")
    images = np.arange(60)
    boxes = np.tile([[10.0, 10, 50, 50]], (60, 1))
    boxes[:10, 2:] = 30  # small
    found = np.where((images % 3 == 0)[:, None], boxes + 60, boxes)
    truth = GroundTruth(images, boxes, images % 2, np.zeros(60, bool))
    names = tuple(f"{i:03}" for i in images)
    run = Detections(("a", "b"), names, images, found, 0.5 + images / 200, images % 2, truth=truth, plus_one=True)
    run.save(one.folder / "test" / "results.npz")
    cells, _, parts = detection_cells(one, run_with(pascal_voc__AP50=0.62, pascal_voc__AP70=0.62))
    ap50, ap70 = (cell for cell in cells if cell.table == "2")
    assert ap50.resampled is not None and ap50.resampled == ap70.resampled and ap50.resampled.images == 60
    assert 3 < np.std(ap50.resampled.values) < 12
    assert all(cell.resampled is None for cell in cells if cell.table == "3")
    found = {part.name: part for part in parts}
    plain = voc_average_precision(run, (0.5,))
    assert [found[name].value for name in "ab"] == pytest.approx(100 * plain.ap[:, 0], abs=1e-3)
    assert {name: part.count for name, part in found.items()} == dict(a=30, b=30, small=10, medium=50, large=0)
    assert found["large"].value is None and found["large"].resampled is None
    alone = replace(run, truth=replace(truth, ignore=images >= 10), boxes=run.boxes[:10], image=images[:10],
                    scores=run.scores[:10], labels=run.labels[:10])  # fmt: skip
    small = voc_average_precision(alone, (0.5,)).mean_ap[0]
    assert found["small"].value == pytest.approx(100 * small, abs=1e-3) and 0 < small < 1


def test_coco_gives_classes_and_sizes(tmp_path: Path) -> None:
    config = (
        "test_evaluator = [dict(type='A'), dict(type='mmdetpre.CocoMetric'), dict(type='CocoMetric', format_only=1)]"
    )
    one = job(tmp_path, "detection", config, table="coco_finetuning")
    assert by_class(one) == ["test_evaluator.1.classwise=True"]
    scores = {"bbox_mAP": 0.5, "bbox_mAP_s": -1.0, "bbox_mAP_l": 0.75, "a/b_precision": 0.25, "c_precision": np.nan}
    scores = {f"coco/{name}": value for name, value in scores.items()}
    cells, _, parts = detection_cells(one, SimpleNamespace(metrics={k: {"test": v} for k, v in scores.items()}))
    assert [(cell.column, cell.value) for cell in cells] == [("map", 50.0)]
    found = [(part.by, part.name, part.value) for part in parts]
    assert found == [("class", "a/b", 25.0), ("class", "c", None), ("size", "small", None), ("size", "large", 75.0)]


def test_mean_iou_has_resamples_in_the_trimap_too(
    tmp_path: Path, tiny_voc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").symlink_to(tiny_voc / "VOCdevkit" / "VOC2012")  # of the folder that the study was started in
    data = "data"
    config = f"_base_ = {str(ROOT / 'configs/seg/deeplab_voc_sample.py')!r}\ndata_root = {data!r}\n"
    one = job(tmp_path, "segmentation", config)
    with monkeypatch.context() as here:
        here.chdir(tmp_path)
        images = images_of_config(config_path(tmp_path, "run"))
        truths = [images.read_truth(i) for i in range(len(images.names))]
    maps = one.folder / "test" / "maps"
    maps.mkdir()
    total = None
    for i, name in enumerate(images.names):
        truth = truths[i]
        predicted = np.where(truth == 255, 0, np.roll(truth, 3 + i, axis=1))
        predicted[predicted == 255] = 0
        Image.fromarray(predicted.astype(np.uint8)).save(maps / f"{name}.png")
        counts = count_image(truth, predicted.astype(np.int64), classes=len(images.classes), widths=(10,))
        total = counts if total is None else total + counts
    assert total is not None
    iou = {"miou": total.whole(), "trimap": total.inside()[0], "anti_trimap": total.outside()[0]}
    iou = {column: 100 * float(region_scores(table).mean_iou) for column, table in iou.items()}
    scores = {"trimap__whole_mIoU": 1.0, "trimap__mIoU_10": 1.0, "trimap__anti_mIoU_10": 1.0}
    cells, notes, parts = segmentation_cells(one, run_with(**scores))
    classes = {part.name: part.value for part in parts}
    assert list(classes) == list(images.classes)
    expected = 100 * region_scores(total.whole()).iou
    shown = [np.nan if value is None else value for value in classes.values()]
    assert shown == pytest.approx(expected, nan_ok=True, abs=1e-4)
    assert notes == ["Trimap columns: 10 pixels on each side of the boundary."]
    for cell in cells:
        assert cell.resampled is not None and cell.resampled.images == len(images.names)
        assert np.median(cell.resampled.values) == pytest.approx(iou[cell.column], abs=6), cell.column
