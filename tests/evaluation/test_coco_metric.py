from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.datasets.api_wrappers import COCO, COCOeval
from mmdet.evaluation.metrics import coco_metric as mmdet_module

from mmdetpre.evaluation.coco_metric import CocoMetric, HotCOCOeval
from mmdetpre.registry import METRICS

needs_hotcoco = pytest.mark.skipif(
    importlib.util.find_spec("hotcoco") is None, reason="hotcoco, the optional fast evaluator, is not installed"
)


@pytest.fixture(scope="module")
def ann_file(shared_data: Path) -> str:
    return str(shared_data / "coco_tiny/annotations/instances_val2017.json")


@pytest.fixture(scope="module")
def coco(ann_file: str) -> COCO:
    coco = COCO(ann_file)
    assert sum(one["iscrowd"] for one in coco.dataset["annotations"]) == 11
    return coco


def detect(coco: COCO, *, tied: bool = False, seed: int = 0) -> list[dict]:
    """Data samples with shifted, doubled, mislabelled detections, some of them inside crowds."""
    random = np.random.default_rng(seed)
    ids = coco.get_cat_ids()
    samples = []
    for image in coco.dataset["images"]:
        own = coco.load_anns(coco.get_ann_ids([image["id"]]))
        boxes = np.array([one["bbox"] for one in own]).reshape(-1, 4).repeat(3, axis=0)
        labels = np.array([ids.index(one["category_id"]) for one in own], int).repeat(3)
        boxes = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
        boxes += np.tile(boxes[:, 2:] - boxes[:, :2], 2) * random.normal(0, 0.12, boxes.shape)
        low = random.uniform(0, 300, (20, 2))
        boxes = np.concatenate([boxes, np.hstack([low, low + random.uniform(5, 150, low.shape)])])
        labels = np.concatenate([labels, random.integers(len(ids), size=len(low))])
        wrong = random.random(len(labels)) < 0.1
        labels[wrong] = random.integers(len(ids), size=wrong.sum())
        scores = random.random(len(boxes))
        predicted = {
            "bboxes": torch.tensor(boxes, dtype=torch.float32),
            "labels": torch.tensor(labels),
            "scores": torch.tensor(scores.round(1) if tied else scores, dtype=torch.float32),
        }
        shape = (image["height"], image["width"])
        samples.append({"img_id": image["id"], "ori_shape": shape, "pred_instances": predicted})
    return samples


def evaluate(coco: COCO, samples: list[dict], **options) -> dict[str, float]:
    metric = METRICS.build({"type": "mmdetpre.CocoMetric", **options})
    metric.dataset_meta = {"classes": tuple(one["name"] for one in coco.dataset["categories"])}
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def coco_results(coco: COCO, samples: list[dict]) -> list[dict]:
    ids, results = coco.get_cat_ids(), []
    for sample in samples:
        predicted = sample["pred_instances"]
        boxes = predicted["bboxes"].clone()
        boxes[:, 2:] -= boxes[:, :2]
        for box, label, score in zip(boxes.tolist(), predicted["labels"], predicted["scores"], strict=True):
            one = {"image_id": sample["img_id"], "category_id": ids[int(label)], "bbox": box, "score": float(score)}
            results.append(one)
    return results


@needs_hotcoco
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(("most", "classes"), [((100, 300, 1000), 1), ((1, 10, 100), 1), ((100, 300, 1000), 0)])
def test_hotcoco_is_pycocotools_in_every_bit(coco, tied, most, classes):
    results = coco_results(coco, samples := detect(coco, tied=tied))
    pictures = {one["image_id"] for one in coco.dataset["annotations"] if one["iscrowd"]}
    pictures |= {one["img_id"] for one in samples[:15]}
    computed = []
    for make in (COCOeval, HotCOCOeval):
        one = make(coco, coco.loadRes(results), "bbox")
        one.params.maxDets, one.params.useCats, one.params.imgIds = list(most), classes, sorted(pictures)
        one.evaluate()
        one.accumulate()
        one.summarize()
        computed.append(one)
    theirs, ours = computed
    assert 0.1 < theirs.stats[0] < 0.9 and len(theirs.stats) == 12
    for name in ("precision", "recall", "scores"):
        np.testing.assert_array_equal(ours.eval[name], theirs.eval[name], strict=True)
    np.testing.assert_array_equal(ours.stats, theirs.stats, strict=True)


@needs_hotcoco
@pytest.mark.filterwarnings("error:hotcoco")
@pytest.mark.parametrize("options", [{"classwise": True}, {"metric": "proposal"}, {"iou_thrs": [0.5, 0.75]}])
def test_the_metric_is_the_same_with_both(coco, ann_file, options):
    samples = detect(coco)
    theirs = evaluate(coco, samples, ann_file=ann_file, **options)
    np.testing.assert_equal(evaluate(coco, samples, ann_file=ann_file, backend="hotcoco", **options), theirs)
    assert len(theirs) >= 6 and mmdet_module.COCOeval is COCOeval


@needs_hotcoco
def test_HotCOCOevaluates_ground_truth_that_comes_with_the_images(coco):
    samples = detect(coco)[:10]
    for sample in samples:
        boxes, labels = (sample["pred_instances"][key][:5] for key in ("bboxes", "labels"))
        sample["instances"] = [
            {"bbox": box, "bbox_label": label, "ignore_flag": 0}
            for box, label in zip(boxes.tolist(), labels.tolist(), strict=True)
        ]
    theirs = evaluate(coco, samples)
    assert evaluate(coco, samples, backend="hotcoco") == theirs and theirs["coco/bbox_mAP"] > 0.2
    for number, sample in enumerate(samples):
        sample["img_id"] = f"name {number}"
    with pytest.raises(ValueError, match="hotcoco cannot take these annotations.*Remove backend='hotcoco'"):
        evaluate(coco, samples, backend="hotcoco")
    assert mmdet_module.COCOeval is COCOeval


def test_what_does_not_go_together_is_refused_at_once(monkeypatch):
    with pytest.raises(ValueError, match="backend is 'cocoapi': choose one of pycocotools, hotcoco"):
        CocoMetric(backend="cocoapi")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="needs the package hotcoco.*pip install"):
        CocoMetric(backend="hotcoco")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    for options in ({"metric": ["bbox", "segm"]}, {"use_mp_eval": True}):
        with pytest.raises(ValueError, match="use backend='pycocotools' for these"):
            CocoMetric(backend="hotcoco", **options)


def test_classes_that_the_annotation_file_does_not_have_are_named(coco, ann_file):
    metric = CocoMetric(ann_file=ann_file)
    metric.dataset_meta = {"classes": ("person", "unicorn", "dragon")}
    metric.process({}, detect(coco)[:2])
    with pytest.raises(ValueError, match="2 classes of the data set are not in ann_file.*'unicorn'; it has 80 classes"):
        metric.evaluate(2)


def test_a_file_without_boxes_is_written_for_the_server(coco: COCO, tmp_path: Path) -> None:
    """As for COCO's test-dev: nothing is measured, and nothing that was written is replaced unasked."""
    content = {key: coco.dataset[key] for key in ("images", "categories")}
    secret = tmp_path / "image_info_test-dev2017.json"
    secret.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="no boxes.*format_only=True.*require_boxes=False"):
        METRICS.build({"type": "mmdetpre.CocoMetric", "ann_file": str(secret)})
    config = {"type": "mmdetpre.CocoMetric", "ann_file": str(secret), "format_only": True}
    config["outfile_prefix"] = str(tmp_path / "out" / "detections")
    metric = METRICS.build(config)
    metric.dataset_meta = {"classes": [category["name"] for category in content["categories"]]}
    samples = detect(coco)
    metric.process({}, samples)
    assert metric.evaluate(len(samples)) == {}
    written = json.loads((tmp_path / "out" / "detections.bbox.json").read_text())
    assert len(written) == sum(len(sample["pred_instances"]["labels"]) for sample in samples)
    assert {one["image_id"] for one in written} == {image["id"] for image in content["images"]}
    assert set(written[0]) == {"image_id", "category_id", "bbox", "score"}
    with pytest.raises(FileExistsError, match="detections.bbox.json is there already.*overwrite=True"):
        METRICS.build(config)
    METRICS.build(config | {"overwrite": True})


def test_flags_names_and_ids_mean_what_they_mean_to_the_data_set(ann_file: str, coco: COCO, tmp_path: Path) -> None:
    content = json.loads(Path(ann_file).read_text())
    for number, row in enumerate(content["annotations"]):
        row |= {"iscrowd": str(bool(row["iscrowd"])), "id": 0, "category_id": float(row["category_id"])}
        if number == 0:
            row["area"] = row["bbox"][2] * row["bbox"][3]
    first = content["categories"][0]
    other = max(row["id"] for row in content["categories"]) + 1
    content["categories"].append({"id": other, "name": first["name"] + " "})
    for row in [row for row in content["annotations"] if row["category_id"] == first["id"]][::2]:
        row["category_id"] = other
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(content))
    samples, scores = detect(coco), []
    for path in (ann_file, file):
        metric = CocoMetric(str(path), metric="bbox")
        metric.dataset_meta = {"classes": [row["name"] for row in coco.dataset["categories"]]}
        metric.process({}, samples)
        scores.append(metric.evaluate(len(samples)))
    assert scores[0] == pytest.approx(scores[1], abs=2e-3)
    file.write_text(json.dumps(content | {"annotations": [content["annotations"][0] | {"iscrowd": "maybe"}]}))
    with pytest.raises(ValueError, match=r"instances\.json.*iscrowd"):
        CocoMetric(str(file))


def test_masks_need_an_outline_of_every_object(coco: COCO, tmp_path: Path) -> None:
    content = {key: coco.dataset[key] for key in ("images", "categories")}
    rows = [dict(row) for row in coco.dataset["annotations"]]
    file, config = tmp_path / "instances.json", {"type": "mmdetpre.CocoMetric", "metric": ["bbox", "segm"]}
    rows[5]["segmentation"] = [[1, 2, 3, 4]]
    file.write_text(json.dumps(content | {"annotations": rows}))
    METRICS.build({"type": "mmdetpre.CocoMetric", "ann_file": str(file)})
    with pytest.raises(ValueError, match="the object 6 of image .* no mask .*a polygon of 4 numbers.*metric='bbox'"):
        METRICS.build(config | {"ann_file": str(file)})
    with pytest.raises(ValueError, match="set ann_file"):
        METRICS.build(config)
