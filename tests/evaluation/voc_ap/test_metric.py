from __future__ import annotations

import csv
import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.evaluation import VOCMetric

from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.evaluation.detections.metric import DumpDetections
from mmdetpre.evaluation.voc_ap import metric as voc_iou_metric
from mmdetpre.evaluation.voc_ap.average_precision import voc_average_precision
from mmdetpre.evaluation.voc_ap.metric import VOCIoUMetric
from mmdetpre.registry import METRICS


def written_runs(path):
    """The runs in a file, by the keys that files of earlier versions have too."""
    return json.loads(Path(path).read_text())["runs"]


def as_samples(run: Detections) -> list[dict]:
    """Data samples as a test loop hands them to a metric, without ``instances``."""
    truth, samples = run.ground_truth(), []
    for i, name in enumerate(run.names):
        rows, own = run.rows(i), run.truth_rows(i)
        parts = {}
        for key, ignored in (("gt_instances", False), ("ignored_instances", True)):
            mask = truth.ignore[own] == ignored
            boxes, labels = torch.tensor(truth.boxes[own][mask]), torch.tensor(truth.labels[own][mask])
            parts[key] = {"bboxes": boxes, "labels": labels}
        predicted = {key: torch.tensor(getattr(run, name)[rows]) for key, name in PREDICTED.items()}
        samples.append({"img_id": name, "ori_shape": (300, 400), "pred_instances": predicted, **parts})
    return samples


PREDICTED = {"bboxes": "boxes", "scores": "scores", "labels": "labels"}


def evaluate(metric, run: Detections, samples: list[dict]) -> dict[str, float]:
    metric.dataset_meta = {"classes": run.classes}
    metric.process({}, samples)
    return metric.evaluate(len(samples))


@pytest.mark.parametrize("mode", ["11points", "area"])
def test_it_is_mmdets_metric_on_real_detections(voc_run, mode):
    samples = as_samples(voc_run)
    theirs = evaluate(VOCMetric(iou_thrs=[0.5, 0.7], eval_mode=mode), voc_run, samples)
    config = {"type": "mmdetpre.VOCIoUMetric", "iou_thrs": [0.5, 0.7], "eval_mode": mode, "plus_one": True}
    ours = evaluate(METRICS.build(config), voc_run, samples)
    assert ours["pascal_voc/mAP"] == theirs["pascal_voc/mAP"]
    for key in ("pascal_voc/AP50", "pascal_voc/AP70"):
        assert round(ours[key], 3) == theirs[key]
    assert list(evaluate(VOCIoUMetric(), voc_run, samples)) == [
        "pascal_voc/mAP", *(f"pascal_voc/AP{percent}" for percent in range(10, 100, 10))
    ]  # fmt: skip


def test_writes_numbers_and_detections_and_keeps_what_is_there(voc_run, tmp_path):
    prefix = str(tmp_path / "new" / "run")
    metric = VOCIoUMetric(outfile_prefix=prefix)
    results = evaluate(metric, voc_run, as_samples(voc_run))
    (run,) = written_runs(f"{prefix}.json")
    assert run["mean_ap"] == [results[f"pascal_voc/AP{percent}"] for percent in range(10, 100, 10)]
    assert [one["name"] for one in run["classes"]] == list(voc_run.classes)
    lines = list(csv.reader(Path(f"{prefix}.csv").read_text().splitlines()))
    assert lines[0][:6] == ["run", "class", "boxes", "detections", "AP10", "AP20"] and len(lines) == 1 + 20 + 1
    assert lines[-1][1:4] == ["mean", "151", "324"] and float(lines[-1][8]) == run["mean_ap"][4]
    detections = Detections.load(f"{prefix}.npz")
    np.testing.assert_array_equal(detections.scores, voc_run.scores)
    assert len(detections.truth) == len(voc_run.truth)
    evaluate(metric, voc_run, as_samples(voc_run))  # the next validation of the same run
    with pytest.raises(FileExistsError, match="run.json exists and is left as it is.*overwrite=True.*resuming"):
        VOCIoUMetric(outfile_prefix=prefix)
    resumed = VOCIoUMetric(outfile_prefix=prefix, overwrite=True)
    evaluate(resumed, voc_run, as_samples(replace(voc_run, scores=voc_run.scores / 2)))
    np.testing.assert_array_equal(Detections.load(f"{prefix}.npz").scores, voc_run.scores / 2)


def test_prints_classes_and_mean_and_says_what_is_left_out(drawn_run, monkeypatch):
    texts = []
    monkeypatch.setattr(voc_iou_metric, "print_log", lambda text, *_: texts.append(text))
    run = drawn_run(0, classes=3)
    samples = as_samples(run)
    for sample in samples:
        mask = sample["gt_instances"]["labels"] != 1
        sample["gt_instances"] = {key: values[mask] for key, values in sample["gt_instances"].items()}
    found = evaluate(VOCIoUMetric(iou_thrs=[0.5, 0.55]), run, samples)
    assert list(found) == ["pascal_voc/mAP", "pascal_voc/AP50", "pascal_voc/AP55"]
    lines = texts[0].strip().splitlines()
    assert lines[0].split()[-2:] == ["0.5", "0.55"] and lines[3].split()[-2:] == ["-", "-"]
    assert lines[-1].startswith("mean") and float(lines[-1].split()[-2]) == round(100 * found["pascal_voc/AP50"], 1)
    assert texts[1] == "1 of 3 classes have no box that counts and are left out of the mean: class 1."


def test_without_ground_truth_there_is_one_clear_error(drawn_run):
    run = drawn_run(0)
    samples = as_samples(run)
    nothing = [{**s, "gt_instances": s["ignored_instances"]} for s in samples]
    for sample in samples:
        del sample["gt_instances"]
    with pytest.raises(ValueError, match="Image '0' comes without ground truth.*LoadAnnotations"):
        evaluate(VOCIoUMetric(), run, samples)
    empty = {"bboxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    for sample in nothing:
        sample["gt_instances"] = sample["ignored_instances"] = empty
    with pytest.raises(ValueError, match="The ground truth has no box: there is nothing to evaluate"):
        evaluate(VOCIoUMetric(), run, nothing)


def test_arguments_are_checked_at_once():
    with pytest.raises(ValueError, match="eval_mode is 'coco': choose one of 11points, area"):
        VOCIoUMetric(eval_mode="coco")
    with pytest.raises(ValueError, match="iou_thrs is .*rising"):
        VOCIoUMetric(iou_thrs=[0.7, 0.5])


def test_instances_win_over_gt_instances_and_bring_their_flags(drawn_run, tmp_path):
    run = drawn_run(0, images=3)
    samples = as_samples(run)
    box = {"bbox": [1, 2, 3, 4], "bbox_label": 1, "ignore_flag": 0, "is_occluded": True, "is_difficult": False}
    for sample in samples:
        sample["instances"] = [box, {**box, "ignore_flag": 1, "is_truncated": False}]
        sample["img_path"] = f"images/{sample['img_id']}.jpg"
    evaluate(DumpDetections(out_file=str(tmp_path / "run.npz")), run, samples)
    loaded = Detections.load(tmp_path / "run.npz")
    truth = loaded.ground_truth()
    assert truth.boxes.tolist() == [[1, 2, 3, 4]] * 6 and truth.ignore.tolist() == [False, True] * 3
    assert truth.occluded.tolist() == [1] * 6 and truth.truncated.tolist() == [-1, 0] * 3
    assert truth.difficult.tolist() == [0] * 6
    assert loaded.paths == ("images/0.jpg", "images/1.jpg", "images/2.jpg")
    assert loaded.sizes.tolist() == [[400, 300]] * 3


def test_dumps_what_was_detected_and_annotated(drawn_run, tmp_path):
    run = drawn_run(1)
    path = tmp_path / "run.npz"
    metric = METRICS.build({"type": "mmdetpre.DumpDetections", "out_file": str(path)})
    assert evaluate(metric, run, as_samples(run)) == {}
    loaded = Detections.load(path)
    for name in ("image", "boxes", "scores", "labels"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(run, name), strict=True)
    order = np.lexsort((run.ground_truth().ignore, run.ground_truth().image))
    for name in ("image", "boxes", "labels", "ignore"):
        expected = getattr(run.ground_truth(), name)[order]
        np.testing.assert_array_equal(getattr(loaded.ground_truth(), name), expected, strict=True)
    evaluate(metric, run, as_samples(run))  # the next validation of the same run
    with pytest.raises(FileExistsError, match="left as it is.*overwrite=True.*resuming"):
        DumpDetections(out_file=str(path))
    samples = as_samples(run)
    for sample in samples[1:]:
        del sample["gt_instances"]
    evaluate(DumpDetections(out_file=str(path), overwrite=True), run, samples)
    assert Detections.load(path).truth is None


def test_two_images_of_one_id_are_refused_while_testing(drawn_run, tmp_path):
    run = drawn_run(1)
    samples = as_samples(run)
    with pytest.raises(ValueError, match="image id '0' occurs twice"):
        evaluate(DumpDetections(out_file=str(tmp_path / "run.npz")), run, [*samples, samples[0]])


def test_a_runner_evaluates_and_writes_the_detections(sample_config, tmp_path):
    from mmengine.runner import Runner

    cfg = sample_config()
    path = tmp_path / "run.npz"
    cfg.val_evaluator = [
        {"type": "mmdetpre.VOCIoUMetric", "plus_one": False, "iou_thrs": [0.1, 0.5]},
        {"type": "mmdetpre.DumpDetections", "out_file": str(path)},
    ]
    runner = Runner.from_cfg(cfg)
    results = runner.val()
    run = Detections.load(path)
    assert list(results) == ["pascal_voc/mAP", "pascal_voc/AP10", "pascal_voc/AP50"]
    assert len(run.names) == 6 and all(Path(name).is_file() for name in run.paths) and (run.sizes > 0).all()
    expected = voc_average_precision(run, [0.1, 0.5], plus_one=False).mean_ap
    assert [results["pascal_voc/AP10"], results["pascal_voc/AP50"]] == expected.tolist()
    dataset = runner.val_dataloader.dataset
    boxes = [one["bbox"] for i in range(6) for one in dataset.get_data_info(i)["instances"]]
    np.testing.assert_allclose(run.ground_truth().boxes, boxes, atol=1e-4)
    assert (run.ground_truth().occluded >= 0).all()


def _rank(rank: int, address: str, run: Detections, folder: Path, expected: dict) -> None:
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    samples = as_samples(run)
    own = samples[rank::2] if rank == 0 else [*samples[rank::2], samples[0]]  # 41 images: the sampler repeats one
    for metric in (VOCIoUMetric(outfile_prefix=f"{folder}/run"), DumpDetections(out_file=f"{folder}/dump.npz")):
        metric.dataset_meta = {"classes": run.classes}
        metric.process({}, own)
        found = metric.evaluate(len(samples))
        assert found == (expected if isinstance(metric, VOCIoUMetric) else {})
    torch.distributed.destroy_process_group()


def test_two_ranks_get_the_result_of_one(drawn_run, tmp_path):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork")
    run = drawn_run(2, images=41)
    expected = evaluate(VOCIoUMetric(), run, as_samples(run))
    context = torch.multiprocessing.get_context("fork")
    arguments = (f"file://{tmp_path}/store", run, tmp_path, expected)
    ranks = [context.Process(target=_rank, args=(rank, *arguments)) for rank in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(60)
        assert rank.exitcode == 0
    for name in ("run.npz", "dump.npz"):
        loaded = Detections.load(tmp_path / name)
        assert loaded.names == run.names
        np.testing.assert_array_equal(loaded.boxes, run.boxes)


def test_files_of_detections_say_how_boxes_are_measured(drawn_run, tmp_path):
    run = drawn_run(0)
    for name, metric in (
        ("voc", VOCIoUMetric(outfile_prefix=f"{tmp_path}/voc", plus_one=True)),
        ("half", VOCIoUMetric(outfile_prefix=f"{tmp_path}/half", plus_one=False)),
        ("dumped", DumpDetections(out_file=f"{tmp_path}/dumped.npz")),
        ("dumped_voc", DumpDetections(out_file=f"{tmp_path}/dumped_voc.npz", plus_one=True)),
    ):
        evaluate(metric, run, as_samples(run))
        assert Detections.load(tmp_path / f"{name}.npz").plus_one is name.endswith("voc")
    for name in ("voc", "half"):
        (written,) = written_runs(tmp_path / f"{name}.json")
        again = voc_average_precision(Detections.load(tmp_path / f"{name}.npz"))
        assert written["mean_ap"] == again.mean_ap.tolist() and written["plus_one"] is again.plus_one
