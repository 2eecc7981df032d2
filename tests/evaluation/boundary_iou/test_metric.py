from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric

from mmdetpre.evaluation.boundary_iou import metric as boundary_iou_metric
from mmdetpre.evaluation.boundary_iou.metric import BoundaryIoUMetric
from mmdetpre.evaluation.boundary_iou.scores import BoundaryScores
from mmdetpre.registry import METRICS
from mmdetpre.utils.results import read_results

CLASSES = ("background", "cat", "dog", "nowhere")


def written_runs(path):
    """The runs in a file, by the keys that files of earlier versions have too."""
    return json.loads(Path(path).read_text())["runs"]


def drawn(number, seed=0):
    """Data samples as a test loop hands them to a metric: blocks of classes, some void, predictions that are moved."""
    random = np.random.default_rng(seed)
    samples = []
    for i in range(number):
        truth = random.integers(0, 3, (5, 6)).repeat(12, axis=0).repeat(10, axis=1)
        prediction = np.roll(truth, (i % 3, 2), (0, 1))
        truth[random.random(truth.shape) < 0.02] = 255
        fields = {"gt_sem_seg": truth, "pred_sem_seg": prediction}
        data = {key: {"data": torch.from_numpy(value)[None]} for key, value in fields.items()}
        samples.append({"img_path": f"images/{i}.jpg"} | data)
    return samples


def evaluate(metric, samples):
    metric.dataset_meta = {"classes": CLASSES}
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_wide_regions_and_whole_masks_are_mmsegs_metric():
    samples = drawn(7)
    theirs = evaluate(IoUMetric(), samples)["mIoU"]
    wide = evaluate(METRICS.build({"type": "mmdetpre.BoundaryIoUMetric", "dilation_ratio": 1}), samples)
    assert wide == {"boundary/mIoU": theirs, "boundary/whole_mIoU": theirs}
    usual = evaluate(BoundaryIoUMetric(), samples)
    assert usual["boundary/whole_mIoU"] == theirs and 20 < usual["boundary/mIoU"] < theirs - 5


def test_table_and_files(tmp_path, monkeypatch):
    texts = []
    monkeypatch.setattr(boundary_iou_metric, "print_log", lambda text, *_: texts.append(text))
    prefix = str(tmp_path / "new" / "boundary")
    results = evaluate(BoundaryIoUMetric(outfile_prefix=prefix), drawn(3))
    (run,) = written_runs(f"{prefix}.json")
    assert (run["images"], run["dilation_ratio"], run["classes"]) == (3, 0.02, list(CLASSES))
    assert run["boundary_IoU"][3] is None and run["boundary_pixels"][3] == 0
    assert np.isclose(run["boundary_mIoU"], np.mean(run["boundary_IoU"][:3]))
    assert results["boundary/mIoU"] == np.round(np.float32(run["boundary_mIoU"]) * 100, 2)
    lines = [line.split() for line in texts[0].splitlines()]
    assert lines[-3] == ["nowhere", "-", "-", "-"]
    assert lines[-1][2:] == [f"{results[f'boundary/{name}']:.2f}" for name in ("mIoU", "whole_mIoU")]
    rows = list(csv.DictReader(Path(f"{prefix}.csv").read_text().splitlines()))
    assert [row["class"] for row in rows] == [*CLASSES, "all"]
    assert float(rows[1]["boundary_IoU"]) == run["boundary_IoU"][1] and rows[3]["IoU"] == ""
    assert int(rows[-1]["pixels"]) == sum(run["pixels"]) and float(rows[-1]["IoU"]) == run["mIoU"]
    with pytest.raises(FileExistsError, match="boundary.json exists and is left as it is"):
        BoundaryIoUMetric(outfile_prefix=prefix)
    (tmp_path / "other.json").write_text('{"format": "another", "runs": []}')
    with pytest.raises(ValueError, match=r"other.json holds no Boundary IoU \(its mark is 'another'\)"):
        read_results(tmp_path / "other.json", BoundaryScores, "a test")


def test_all_void_gives_nan():
    (sample,) = drawn(1)
    sample["gt_sem_seg"]["data"].fill_(255)
    results = evaluate(BoundaryIoUMetric(), [sample])
    assert all(np.isnan(value) for value in results.values()) and len(results) == 2


def test_bad_input():
    with pytest.raises(ValueError, match="dilation_ratio is 2: "):
        BoundaryIoUMetric(dilation_ratio=2)
    with pytest.raises(ValueError, match="No image was tested"):
        evaluate(BoundaryIoUMetric(), [])
    (sample,) = drawn(1)
    sample["gt_sem_seg"]["data"][0, 0, 0] = 4
    with pytest.raises(ValueError, match=r"Image images/0.jpg: the label map holds 4: expected are 0 to 3"):
        evaluate(BoundaryIoUMetric(), [sample])
