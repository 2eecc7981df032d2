from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.evaluation import OpenImagesMetric as MMDetOpenImagesMetric
from PIL import Image

from mmdetpre.evaluation import OpenImagesMetric
from mmdetpre.registry import DATASETS, METRICS

PIPELINE = [
    {"type": "LoadImageFromFile"},
    {"type": "mmdet.PackDetInputs", "meta_keys": ("img_id", "instances", "image_level_labels")},
]


def random_detections(instances: list[dict], classes: int, random: np.random.Generator) -> dict[str, torch.Tensor]:
    """Shifted, doubled, mislabelled boxes and some in empty places."""
    boxes = np.array([instance["bbox"] for instance in instances], np.float32).reshape(-1, 4).repeat(2, axis=0)
    labels = np.array([instance["bbox_label"] for instance in instances], np.int64).repeat(2)
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    boxes = boxes + (sides * random.normal(0, 0.12, boxes.shape)).astype(np.float32)
    corners = random.uniform(0, 150, (8, 2)).astype(np.float32)
    boxes = np.concatenate([boxes, np.hstack([corners, corners + 40])])
    labels = np.concatenate([labels, random.integers(classes, size=8)])
    labels = np.where(random.random(len(labels)) < 0.15, random.integers(classes, size=len(labels)), labels)
    scores = random.random(len(labels)).astype(np.float32)
    return {"bboxes": torch.tensor(boxes), "scores": torch.tensor(scores), "labels": torch.tensor(labels)}


def images_of(dataset, detections: dict[str, dict] | None = None) -> list[dict]:
    """Data samples as a test loop hands them to a metric."""
    samples = [dataset[i]["data_samples"].to_dict() for i in range(len(dataset))]
    random = np.random.default_rng(0)
    for sample in samples:
        drawn = detections or {}
        sample["pred_instances"] = drawn.get(sample["img_id"]) or random_detections(
            sample["instances"], len(dataset.metainfo["classes"]), random
        )
    return samples


def evaluate(metric, dataset, samples: list[dict]) -> dict[str, float]:
    metric.dataset_meta = dataset.metainfo
    metric.process({}, samples)
    return metric.evaluate(len(samples))


@pytest.fixture(scope="module")
def ours(tiny_sample: Path):
    return DATASETS.build(sample_options(tiny_sample) | {"type": "mmdetpre.PackedOpenImagesDataset", "classes": None})


def sample_options(root: Path) -> dict:
    return {
        "data_root": str(root),
        "ann_file": "annotations/validation-annotations-bbox.csv",
        "label_file": "annotations/class-descriptions-boxable.csv",
        "hierarchy_file": "annotations/bbox_labels_600_hierarchy.json",
        "image_level_ann_file": "annotations/validation-annotations-human-imagelabels-boxable.csv",
        "data_prefix": {"img": "OpenImages/validation/"},
        "pipeline": PIPELINE,
        "test_mode": True,
    }


@pytest.fixture(scope="module")
def theirs(tiny_sample: Path, tmp_path_factory: pytest.TempPathFactory):
    """mmdet's own reader over the same files; it wants the image sizes in a pickle."""
    lines = (tiny_sample / "annotations" / "validation-annotations-bbox.csv").read_text().splitlines()[1:]
    metas = []
    for name in dict.fromkeys(line.split(",")[0] for line in lines):
        with Image.open(tiny_sample / "OpenImages" / "validation" / f"{name}.jpg") as image:
            metas.append({"filename": f"{name}.jpg", "ori_shape": (image.height, image.width, 3)})
    path = tmp_path_factory.mktemp("metas") / "validation-image-metas.pkl"
    path.write_bytes(pickle.dumps(metas))
    return DATASETS.build(sample_options(tiny_sample) | {"type": "mmdet.OpenImagesDataset", "meta_file": str(path)})


@pytest.mark.parametrize("options", [{}, {"get_supercategory": False}, {"filter_labels": False}])
def test_the_whole_path_gives_the_ap_of_mmdets_own(ours, theirs, options):
    samples = images_of(theirs)
    expected = evaluate(MMDetOpenImagesMetric(**options), theirs, samples)
    drawn = {sample["img_id"]: sample["pred_instances"] for sample in samples}
    assert 0.1 < expected["openimages/mAP"] < 0.9
    found = evaluate(OpenImagesMetric(**options), ours, images_of(ours, drawn))
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("images", [1, 6])
def test_the_numbers_are_those_of_mmdets_metric(ours, images):
    options = {"iou_thrs": [0.3, 0.5, 0.75], "ioa_thrs": [0.3, 0.5, 0.5]}
    samples = images_of(ours)[:images]
    expected = evaluate(MMDetOpenImagesMetric(**options), ours, samples)
    assert evaluate(OpenImagesMetric(**options), ours, samples) == expected
    assert list(expected) == [f"openimages/{name}" for name in ("AP30", "AP50", "AP75", "mAP")]


def test_detections_of_unverified_classes_are_left_out(ours):
    """A false detection costs nothing where nobody looked for its class, and costs AP where somebody found none."""
    sample = ours[0]["data_samples"].to_dict()
    box = [10.0, 10.0, 60.0, 60.0]
    sample["instances"] = [{"bbox": box, "bbox_label": 1, "is_group_of": False}]
    other = {**sample, "instances": [], "image_level_labels": np.array([], np.int64)}
    other["pred_instances"] = {k: torch.tensor(v) for k, v in (("bboxes", [box]), ("scores", [0.9]), ("labels", [1]))}
    sample["pred_instances"] = other["pred_instances"] | {"scores": torch.tensor([0.8])}
    for labels, options, expected in (([], {}, 1), ([1], {}, 0.5), ([], {"filter_labels": False}, 0.5)):
        other["image_level_labels"] = np.array(labels, np.int64)
        metric = OpenImagesMetric(get_supercategory=False, **options)
        assert evaluate(metric, ours, [sample, other])["openimages/mAP"] == pytest.approx(expected)


def test_the_table_names_the_classes_of_the_data_set(ours, monkeypatch):
    tables = []
    monkeypatch.setattr("mmdet.evaluation.functional.mean_ap.print_log", lambda text, **_: tables.append(text))
    evaluate(OpenImagesMetric(), ours, images_of(ours))
    names = re.findall(r"^\| ([\w ]+?) +\|", tables[0], re.MULTILINE)
    assert names == ["class", *ours.metainfo["classes"], "mAP"]


@pytest.mark.parametrize("options", [{"use_group_of": False}, {"scale_ranges": [(0, 32)]}])
def test_options_that_break_mmdets_evaluation_are_refused_at_once(options):
    with pytest.raises(ValueError, match=r"use_group_of=True and scale_ranges=None only.*val_evaluator"):
        METRICS.build({"type": "mmdetpre.OpenImagesMetric", **options})


def test_a_runner_evaluates_the_sample_with_it(sample_config):
    """Every detection counts on the sample, which is annotated exhaustively."""
    from mmengine.runner import Runner

    runner = Runner.from_cfg(sample_config())
    assert 0 <= runner.val()["openimages/mAP"] < 0.2
    for evaluator in (runner.val_evaluator, runner.build_evaluator(runner.cfg.test_evaluator)):
        (metric,) = evaluator.metrics
        assert isinstance(metric, OpenImagesMetric) and not metric.filter_labels and not metric.get_supercategory
    for part in ("val", "test"):
        assert runner.cfg[f"{part}_dataloader"].dataset.image_level_ann_file is None


def test_the_full_config_filters_by_image_level_labels(repository):
    from mmengine.config import Config

    cfg = Config.fromfile(repository / "configs" / "det" / "sniper_openimages.py")
    for part in ("val", "test"):
        dataset = cfg[f"{part}_dataloader"].dataset
        assert dataset.image_level_ann_file == "annotations/validation-annotations-human-imagelabels-boxable.csv"
        assert "image_level_labels" in dataset.pipeline[-1].meta_keys
        assert METRICS.build(cfg[f"{part}_evaluator"]).filter_labels
