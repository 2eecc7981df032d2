"""Detections of fine classes, evaluated on coarser ones."""

import pytest
import torch

from mmdetpre.evaluation import ImageNetDETMetric

FINE = ["n05", "n06", "n07", "n08"]
MAP = dict(n05="n02", n06="n02", n07="n03")
BOX, FAR = [0.0, 0.0, 100.0, 100.0], [300.0, 300.0, 400.0, 400.0]


def sample(name, found, truth):
    boxes, scores, labels = zip(*found, strict=True) if found else ((), (), ())
    return dict(
        img_id=name,
        ori_shape=(500, 500),
        pred_instances=dict(
            bboxes=torch.tensor(boxes).reshape(-1, 4), scores=torch.tensor(scores), labels=torch.tensor(labels).long()
        ),
        gt_instances=dict(
            bboxes=torch.tensor([b for b, _ in truth]).reshape(-1, 4), labels=torch.tensor([c for _, c in truth]).long()
        ),
    )


def evaluate(samples, classes=("n03", "n02"), **options):
    metric = ImageNetDETMetric(**(dict(classes=FINE, class_map=MAP) | options))
    metric.dataset_meta = dict(classes=classes)
    for one in samples:
        metric.process({}, [one])
    return metric.evaluate(len(samples)), metric


def test_fine_detections_count_as_their_class():
    results, _ = evaluate([sample("a", [(BOX, 0.9, 1), (FAR, 0.8, 2), (FAR, 0.7, 3)], [(BOX, 1), (FAR, 0)])])
    assert results == {"imagenet_det/mAP": 1.0, "imagenet_det/mAP_mapped": 1.0, "imagenet_det/classes": 2}


def test_one_object_found_as_two_breeds_counts_once():
    samples = [
        sample("a", [(BOX, 0.9, 0), (BOX, 0.8, 1)], [(BOX, 1)]),
        sample("b", [(BOX, 0.7, 0)], [(BOX, 1)]),
    ]
    assert evaluate(samples)[0]["imagenet_det/mAP"] == 1
    without = evaluate(samples, merge_iou_thr=None)[0]["imagenet_det/mAP"]
    assert without == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_suppression_touches_merged_classes_only():
    metric = ImageNetDETMetric(FINE, MAP)
    metric.dataset_meta = dict(classes=("n03", "n02"))
    metric.process({}, [sample("a", [(BOX, 0.9, 2), (BOX, 0.8, 2), (BOX, 0.7, 0), (BOX, 0.6, 1)], [(BOX, 1)])])
    assert sorted(zip(metric.results[0].labels.tolist(), metric.results[0].scores.round(1).tolist(), strict=True)) == [
        (0, pytest.approx(0.8)),
        (0, pytest.approx(0.9)),
        (1, pytest.approx(0.7)),
    ]


def test_classes_without_a_model_class_are_told_apart():
    results, _ = evaluate([sample("a", [(BOX, 0.9, 0)], [(BOX, 1), (FAR, 2)])], classes=("n03", "n02", "n04"))
    assert results["imagenet_det/mAP"] == 0.5 and results["imagenet_det/mAP_mapped"] == 1


def test_mapping_by_hierarchy(tmp_path):
    (tmp_path / "is_a.txt").write_text("n02 n05\nn02 n06\nn03 n07\n")
    (tmp_path / "fine.txt").write_text("\n".join(FINE))
    options = dict(classes=str(tmp_path / "fine.txt"), class_map=None, is_a_file=str(tmp_path / "is_a.txt"))
    metric = ImageNetDETMetric(**options)
    metric.dataset_meta = dict(classes=("n03", "n02"))
    assert metric.mapping.tolist() == [1, 1, 0, -1]


def test_mapping_and_ids_of_the_data_set():
    metric = ImageNetDETMetric(FINE)
    metric.dataset_meta = dict(classes=("cat", "dog"), wnids=("n03", "n02"), class_map=MAP)
    assert metric.mapping.tolist() == [1, 1, 0, -1]


def test_bad_settings():
    with pytest.raises(ValueError, match="drop one of them"):
        ImageNetDETMetric(FINE, MAP, is_a_file="is_a.txt")
    with pytest.raises(FileNotFoundError, match=r"nowhere.txt is not there"):
        ImageNetDETMetric("nowhere.txt")
    with pytest.raises(ValueError, match="n05 more than once"):
        ImageNetDETMetric(["n05", "n05"])
    with pytest.raises(ValueError, match="maps none"):
        evaluate([sample("a", [(BOX, 0.9, 0)], [(BOX, 1)])], class_map=None)
    with pytest.raises(ValueError, match="detects label 4, but `classes` of ImageNetDETMetric names 4 classes"):
        evaluate([sample("a", [(BOX, 0.9, 4)], [(BOX, 1)])])
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate([sample("a", [(BOX, 0.9, 0)], [])])
