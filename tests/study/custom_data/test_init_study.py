"""From a user's own data to a study: what is written, what is refused and how."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmdetpre.backbones import named_backbone
from mmdetpre.datasets.classification.dataset import ClassFolders
from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.study.custom_data.command import add_init_arguments, run_init
from mmdetpre.study.custom_data.detection_data import data_of_options
from mmdetpre.study.custom_data.init_study import Settings, init_study
from mmdetpre.study.custom_data.models import MODELS
from mmdetpre.study.custom_data.recognize import KNOWN
from mmdetpre.study.plan import make_plan
from mmdetpre.study.spec import read_study

BOX = {"bbox": [20, 10, 60, 50], "iscrowd": 0}


def photo(path: Path, seed: int, size: tuple[int, int] = (160, 120), **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(pixels).resize(size).save(path, **options)


def coco(root: Path, count: int = 10, name: str = "bolts", **changes: Any) -> Path:
    """A COCO file over ``count`` photos of cats and dogs in turn, one box each; ``changes`` replace its keys."""
    images = [{"id": 7 + i, "file_name": f"{i}.jpg", "width": 160, "height": 120} for i in range(count)]
    for i in range(count):
        photo(root / "images" / f"{i}.jpg", i)
    content = {
        "images": images,
        "annotations": [BOX | {"id": i, "image_id": 7 + i, "category_id": 3 + 2 * (i % 2)} for i in range(count)],
        "categories": [{"id": 3, "name": "cat"}, {"id": 5, "name": "dog"}],
    }
    file = root / f"{name}.json"
    file.write_text(json.dumps(content | changes))
    return file


def class_folders(root: Path, **counts: int) -> Path:
    for label, (name, count) in enumerate(counts.items()):
        for i in range(count):
            photo(root / name / f"{i}.jpg", 100 * label + i, (40, 30))
    return root


def init(tmp_path: Path, **settings: Any) -> tuple[Path, str]:
    """The study of data named by ``det``, ``det_images`` and so on, as by their options."""
    names = {f"--{key.replace('_', '-')}": settings.pop(key) for key in list(settings) if key.startswith("det")}
    det, _ = data_of_options(list(names.items()))
    out = tmp_path / "study"
    return out, init_study(Settings(out, det=det, **{"model": "sample", **settings}))


def refused(tmp_path: Path, kind: type[Exception] = ValueError, **settings: Any) -> str:
    with pytest.raises(kind) as error:
        init(tmp_path, **settings)
    assert not (tmp_path / "study").exists() and not list(tmp_path.glob(".study*"))
    return str(error.value)


def split(out: Path, part: str) -> dict[str, Any]:
    return json.loads((out / "data" / f"own_det_{part}.json").read_text())


def test_the_study_of_both_kinds_of_data_can_be_planned(tmp_path: Path) -> None:
    out, text = init(tmp_path, det=coco(tmp_path), cls=class_folders(tmp_path / "pets", cat=6, dog=9), seeds=2)
    study = read_study(out / "study.yaml")
    assert list(make_plan(study)) == [
        f"{task}/scratch/seed{seed}" for task in ("own_det", "own_cls") for seed in (0, 1)
    ] + ["figures/1"]
    assert study.title == "bolts and pets" and study.out == out / "results"
    assert "8 training and 2 test images, 2 classes" in text
    assert "2 classes of 6 to 9 images; 8 training images, 4 of each class, and 7 test images" in text
    assert f"mmdetpre study run {out}/study.yaml" in text


def test_what_is_trained_is_an_option(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_init_arguments(parser)
    given = parser.parse_args(["--out", "x", "--trainable-stages", "all", "0"]).trainable_stages
    out, _ = init(
        tmp_path,
        cls=class_folders(tmp_path / "pets", cat=6, dog=9),
        model="paper",
        inits=["imagenet_cls=torchvision://resnet101"],  # which is not fetched
        seeds=1,
        trainable_stages=given,
    )
    tasks = read_study(out / "study.yaml").tasks
    assert [key for key, task in tasks.items() if task.kind == "classification"] == ["own_cls", "own_cls_frozen"]
    shutil.rmtree(out)
    assert refused(tmp_path, cls=tmp_path / "pets", trainable_stages=[0]).startswith("--trainable-stages needs --init")


def test_the_split_keeps_every_class_in_both_parts_and_the_ids(tmp_path: Path) -> None:
    out, _ = init(tmp_path, det=coco(tmp_path))
    parts = {part: split(out, part) for part in ("train", "test")}
    ids = [{image["id"] for image in part["images"]} for part in parts.values()]
    assert ids[0] | ids[1] == set(range(7, 17)) and not ids[0] & ids[1]
    for part in parts.values():
        assert {a["category_id"] for a in part["annotations"]} == {1, 2}
        assert {a["image_id"] for a in part["annotations"]} == {image["id"] for image in part["images"]}
        assert [c["name"] for c in part["categories"]] == ["cat", "dog"]


def test_same_data_and_seed_give_the_same_files(tmp_path: Path) -> None:
    file, folder = coco(tmp_path), class_folders(tmp_path / "pets", cat=6, dog=9)
    texts = []
    for seed in (0, 0, 1):
        out, _ = init(tmp_path, det=file, cls=folder, split_seed=seed)
        texts.append({path.relative_to(out): path.read_text() for path in sorted(out.rglob("*.*"))})
        shutil.rmtree(out)
    assert texts[0] == texts[1] != texts[2]


def test_copies_of_a_photo_are_in_one_part(tmp_path: Path) -> None:
    file = coco(tmp_path)
    for i in range(1, 8):
        shutil.copy(tmp_path / "images" / "0.jpg", tmp_path / "images" / f"{i}.jpg")
    out, text = init(tmp_path, det=file)
    copied = {f"{i}.jpg" for i in range(8)}
    assert [{i["file_name"] for i in split(out, part)["images"]} & copied for part in ("train", "test")] in (
        [copied, set()],
        [set(), copied],
    )
    assert "1 photo is there more than once" in text


def test_a_test_file_of_other_category_numbers(tmp_path: Path) -> None:
    photo(tmp_path / "other" / "a.jpg", 99)
    test = tmp_path / "test.json"
    test.write_text(
        json.dumps(
            {
                "images": [{"id": "x", "file_name": "a.jpg"}],
                "annotations": [BOX | {"image_id": "x", "category_id": 1}],
                "categories": [{"id": 1, "name": "dog"}],
            }
        )
    )
    out, text = init(tmp_path, det=coco(tmp_path), det_test=test, det_test_images=tmp_path / "other")
    assert len(split(out, "train")["images"]) == 10
    (annotation,) = split(out, "test")["annotations"]
    assert annotation["category_id"] == 2 and annotation["image_id"] == 1 and annotation["area"] == 3000
    assert split(out, "test")["images"] == [{"id": 1, "file_name": "a.jpg", "width": 160, "height": 120}]
    assert "No test box of cat" in text


def test_voc_xml_becomes_coco_json_with_its_flags(tmp_path: Path) -> None:
    for i in range(6):
        photo(tmp_path / "images" / f"{i}.png", i)
        flags = f"<occluded>{int(i == 2)}</occluded><difficult>{int(i == 3)}</difficult>"
        (tmp_path / "annots").mkdir(exist_ok=True)
        (tmp_path / "annots" / f"{i}.xml").write_text(
            f"<annotation><size><width>160</width><height>120</height></size><object><name>cat</name>{flags}<bndbox>"
            "<xmin>21</xmin><ymin>11</ymin><xmax>80</xmax><ymax>60</ymax></bndbox></object></annotation>"
        )
    photo(tmp_path / "images" / "extra.png", 50)
    out, text = init(tmp_path, det=tmp_path / "annots")
    found = {}
    for part in ("train", "test"):
        content = split(out, part)
        names = {image["id"]: image["file_name"] for image in content["images"]}
        found |= {names[a["image_id"]]: a for a in content["annotations"]}
    assert {tuple(a["bbox"]) for a in found.values()} == {(20, 10, 60, 50)}
    assert {name for name, a in found.items() if a["occluded"]} == {"2.png"}
    assert {name for name, a in found.items() if a["difficult"] and a["iscrowd"]} == {"3.png"}
    assert "truncated" not in found["0.png"]
    assert "1 photos without an XML file" in text
    cfg = Config.fromfile(out / "configs" / "own_det.py")
    assert cfg.train_dataloader.dataset.dataset.ann_file == "own_det_train.json"


@pytest.fixture
def short_path() -> Iterator[Path]:
    """mmengine formats the config of a run with yapf several times, which takes seconds where paths are long."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_attributes_of_cvat_are_flags(tmp_path: Path) -> None:
    boxes = [
        BOX | {"image_id": 7 + i, "category_id": 3 + 2 * (i % 2), "attributes": {"occluded": i == 4}} for i in range(10)
    ]
    out, _ = init(tmp_path, det=coco(tmp_path, annotations=boxes))
    found = {a["image_id"]: a["occluded"] for part in ("train", "test") for a in split(out, part)["annotations"]}
    assert found == {7 + i: int(i == 4) for i in range(10)}
    assert "What counts as hidden: the flag `occluded`." in (out / "configs" / "own_det.py").read_text()


def test_the_detector_trains_and_leaves_what_the_analyses_read(short_path: Path) -> None:
    tmp_path = short_path
    out, _ = init(tmp_path, det=coco(tmp_path, 6), epochs=1)
    cfg = Config.fromfile(out / "configs" / "own_det.py")
    quick = {f"{part}_dataloader.{key}": value for part in ("train", "val", "test")
             for key, value in {"num_workers": 0, "persistent_workers": False}.items()}  # fmt: skip
    cfg.merge_from_dict(quick | {"work_dir": str(tmp_path / "work"), "train_dataloader.batch_size": 4})
    cfg.test_evaluator.outfile_prefix = str(tmp_path / "results")
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert {"pascal_voc/AP50", "pascal_voc/AP70"} <= set(runner.test())
    run = Detections.load(tmp_path / "results.npz")
    assert run.classes == ("cat", "dog") and not run.plus_one
    assert len(run.ground_truth()) == len(split(out, "test")["annotations"])
    np.testing.assert_array_equal(run.ground_truth().boxes[0], [20, 10, 80, 60])


def test_the_classifier_reads_the_split(tmp_path: Path) -> None:
    from mmengine.registry import init_default_scope
    from mmpretrain.registry import DATASETS

    out, _ = init(tmp_path, cls=class_folders(tmp_path / "pets", cat=6, dog=9), cls_per_class=5)
    cfg = Config.fromfile(out / "configs" / "own_cls.py")
    init_default_scope("mmpretrain")
    train, test = (DATASETS.build(cfg[f"{part}_dataloader"].dataset) for part in ("train", "test"))
    assert (len(train), len(test)) == (10, 5) and train.metainfo["classes"] == ("cat", "dog")
    assert cfg.model.head.num_classes == 2 and train[0]["inputs"].shape == (3, 96, 96)


@pytest.mark.parametrize("model", ["sample", "paper"])
def test_models_have_the_classes_and_nothing_frozen_from_scratch(tmp_path: Path, model: str) -> None:
    out, _ = init(tmp_path, det=coco(tmp_path), cls=class_folders(tmp_path / "pets", cat=6, dog=9), model=model)
    tasks = yaml.safe_load((out / "study.yaml").read_text())["tasks"]
    scratch = Config.fromfile(out / tasks["own_det"]["scratch_config"])
    assert scratch.model.roi_head.bbox_head.num_classes == 2 and scratch.model.backbone.frozen_stages == -1
    other = Config.fromfile(out / tasks["own_det"]["config"])
    assert other.model.backbone.frozen_stages == (1 if model == "paper" else -1)
    for cfg in (scratch, other, Config.fromfile(out / tasks["own_cls"]["config"])):
        assert cfg.backbone_init.checkpoint is None
        assert all(scheduler.get("end", 0) <= 1000 for scheduler in cfg.param_scheduler)
    assert len(other.tta_model.test_ranges) == len(other.train_dataloader.dataset.chips.scales)
    assert len(other.tta_pipeline[1].transforms[0]) == len(other.tta_model.test_ranges)


@pytest.mark.parametrize("model", [name for name, choice in MODELS.items() if choice.backbone])
def test_other_backbones_are_built_in_both_tasks(tmp_path: Path, model: str) -> None:
    from mmdet.registry import MODELS as DETECTORS
    from mmengine.registry import DefaultScope
    from mmpretrain.registry import MODELS as CLASSIFIERS

    pets = class_folders(tmp_path / "pets", cat=6, dog=9)
    out, text = init(tmp_path, det=coco(tmp_path), cls=pets, model=model)
    wanted = named_backbone(MODELS[model].backbone)
    for_gpus = MODELS[model].for_gpus
    names = {"own_det": 1, "own_det_scratch": -1, "own_cls": -1} if for_gpus else {"own_det": -1, "own_cls": -1}
    configs = {name: Config.fromfile(out / "configs" / f"{name}.py") for name in names}
    frozen = [config.model.backbone.frozen_stages for config in configs.values()]
    assert frozen == [wanted.frozen(stages) for stages in names.values()]
    for name, config in configs.items():
        assert config.model.backbone.type == wanted.backbone["type"] and "name" not in config.model.backbone
        assert config.model.data_preprocessor.mean == wanted.preprocessing["mean"]
        assert "reset_offsets" not in config.backbone_init
        if wanted.optim_wrapper:
            assert config.optim_wrapper.optimizer.type == wanted.optim_wrapper["optimizer"]["type"]
        if name != "own_det_scratch":
            registry = CLASSIFIERS if name == "own_cls" else DETECTORS
            with DefaultScope.overwrite_default_scope(config.default_scope):
                registry.build(config.model)
    assert configs["own_det"].model.roi_head.bbox_head.num_classes == 2 == configs["own_cls"].model.head.num_classes
    assert make_plan(read_study(out / "study.yaml"))
    assert ("no GPU here" in text) == (for_gpus and not torch.cuda.is_available())
    if "no GPU here" in text:
        assert f"and --model {model} is for GPUs" in text
        assert re.search(r"own_det: \S+ \w+ a step, \d+ steps: \S+ h a run, 3 runs", text)


def test_without_a_model_the_weights_or_the_machine_propose_it(tmp_path: Path) -> None:
    boxes = coco(tmp_path)
    out, text = init(tmp_path, det=boxes, model=None, inits=["imagenet_cls=zoo:efficientnet-lite0/imagenet"])
    assert "(--model efficientnet-lite0: imagenet_cls holds weights of efficientnet-lite0)" in text
    assert "of the zoo can fit, such as zoo:efficientnet-lite0/imagenet." in text
    shutil.rmtree(out)
    out, text = init(tmp_path, det=boxes, model=None)
    assert f"there is {'a' if torch.cuda.is_available() else 'no'} GPU)." in text


@pytest.mark.parametrize("epochs", [1, 14, 30])
def test_schedules_follow_the_number_of_epochs(tmp_path: Path, epochs: int) -> None:
    settings = {"det": coco(tmp_path), "cls": class_folders(tmp_path / "pets", cat=6, dog=9), "epochs": epochs}
    for model in ("sample", "paper"):
        out, _ = init(tmp_path, model=model, **settings)
        schedules = {}
        for name in ("own_det", "own_cls"):
            cfg = Config.fromfile(out / "configs" / f"{name}.py")
            assert cfg.train_cfg.max_epochs == epochs
            schedules[name] = cfg.param_scheduler[-1]
        shutil.rmtree(out)
        if model == "sample":
            assert {schedule["end"] for schedule in schedules.values()} == {epochs}
        elif epochs > 1:  # those of the shipped configs
            det, cls = {14: ([10], [7, 12]), 30: ([21], [15, 25])}[epochs]
            assert (schedules["own_det"].milestones, schedules["own_cls"].milestones) == (det, cls)
        else:
            assert all(min(schedule.milestones) >= 1 for schedule in schedules.values())


def test_a_study_can_be_moved(tmp_path: Path) -> None:
    out, _ = init(tmp_path, det=coco(tmp_path))
    moved = out.rename(tmp_path / "elsewhere")
    cfg = Config.fromfile(moved / "configs" / "own_det.py")
    data = cfg.train_dataloader.dataset.dataset
    assert Path(data.data_root, data.ann_file).resolve() == moved / "data" / "own_det_train.json"


BAD_COCO = {
    "no annotations": ({"annotations": None}, "its 'annotations' is not a list"),
    "empty images": ({"images": []}, "the list 'images' is empty"),
    "no box": ({"annotations": [{"id": 0, "image_id": 7, "category_id": 3}]}, r"annotations\[0\] has no 'bbox'"),
    "no number": (
        {"annotations": [{"image_id": 7, "category_id": 3, "bbox": [1, 2, "x", 4]}]},
        r"annotations\[0\] has bbox",
    ),
    "strange image": ({"annotations": [BOX | {"image_id": 1, "category_id": 3}]}, "image_id 1, which images lacks"),
    "strange class": ({"annotations": [BOX | {"image_id": 7, "category_id": 9}]}, "category_id 9, which categories"),
    "list as id": (
        {"annotations": [BOX | {"image_id": [7], "category_id": 3}]},
        r"image_id \[7\], expected a whole number or a text",
    ),
    "class twice": (
        {"categories": [{"id": 3, "name": "cat"}, {"id": 5, "name": "cat"}]},
        "two categories have the name",
    ),
    "one class": ({"annotations": [BOX | {"image_id": 7, "category_id": 3}]}, "1 categories without boxes: dog"),
    "empty box": (
        {"annotations": [{"image_id": 7, "category_id": 3, "bbox": [5, 5, 0, 9]}]},
        r"1 boxes are empty .*\[5, 5, 0, 9\] in 0.jpg",
    ),
    "outside": (
        {"annotations": [{"image_id": 7, "category_id": 3, "bbox": [200, 5, 9, 9]}]},
        r"1 boxes lie outside of their image: \[200, 5, 9, 9\] in 0.jpg",
    ),
    "other size": (
        {"images": [{"id": 7 + i, "file_name": f"{i}.jpg", "width": 120, "height": 160} for i in range(10)]},
        "10 images have another size than is annotated: 0.jpg has 160 x 120 pixels, not 120 x 160",
    ),
    "missing": (
        {"images": [{"id": 7 + i, "file_name": f"{i * 5}.jpg"} for i in range(10)]},
        r"8 of 10 images are missing in .*: 10.jpg \(the nearest name there is 1.jpg\), 15.jpg .*, ...*--det-images",
    ),
}


@pytest.mark.parametrize("changes,message", BAD_COCO.values(), ids=BAD_COCO)
def test_bad_coco_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    kind = FileNotFoundError if "missing" in message else ValueError
    text = refused(tmp_path, kind, det=coco(tmp_path, **changes))
    assert re.search(message, text.replace("\n", " ")), text
    assert str(tmp_path / "bolts.json") in text


def test_keys_that_are_not_there_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"images": [{"id": 1, "file_name": "a"}]}')
    assert "has no key 'annotations'" in refused(tmp_path, det=file)
    file.write_text("[1, 2]")
    assert "holds a list" in refused(tmp_path, det=file)
    file.write_text('{"images": [')
    assert "is not valid JSON" in refused(tmp_path, det=file)
    assert "There is no" in refused(tmp_path, FileNotFoundError, det=tmp_path / "none.json")
    assert "There is no folder" in refused(tmp_path, FileNotFoundError, det=file, det_images=tmp_path / "none")


def test_what_is_bad_can_be_left_out_and_is_counted(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 160, "height": 120} for i in range(12)]
    boxes = [BOX | {"image_id": i, "category_id": 3} for i in range(12)]
    boxes += [{"image_id": 0, "category_id": 3, "bbox": box} for box in ([5, 5, 0, 9], [200, 5, 9, 9], [-9, 5, 9, 9])]
    file = coco(tmp_path, images=images, annotations=boxes)
    (tmp_path / "images" / "3.jpg").write_bytes(b"no picture")
    out, text = init(tmp_path, det=file, leave_out_bad=True)
    (line,) = [line for line in text.splitlines() if line.startswith("Left out: 2 of")]
    for part in ("of 12 images are missing", "1 images cannot be read", "1 boxes are empty", "2 boxes lie outside"):
        assert part in line
    assert "1 categories without boxes" in line
    assert sum(len(split(out, part)["annotations"]) for part in ("train", "test")) == 9
    assert [c["name"] for c in split(out, "train")["categories"]] == ["cat"]


def test_the_same_image_in_both_parts_is_refused(tmp_path: Path) -> None:
    train = coco(tmp_path)
    test = coco(tmp_path / "test")
    shutil.copy(tmp_path / "images" / "4.jpg", tmp_path / "test" / "images" / "1.jpg")
    for i in (0, *range(2, 10)):
        photo(tmp_path / "test" / "images" / f"{i}.jpg", 200 + i)
    message = refused(tmp_path, det=train, det_test=test)
    assert "1 images are in" in message and "4.jpg = 1.jpg" in message


def test_classes_to_test_on_must_be_trained_on(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    message = refused(
        tmp_path,
        FileNotFoundError,
        det=coco(tmp_path),
        det_test=tmp_path / "bolts.json",
        det_test_images=tmp_path / "empty",
    )
    assert "Set --det-test-images to the folder" in message
    test = coco(tmp_path / "test", categories=[{"id": 3, "name": "cat"}, {"id": 5, "name": "horse"}])
    assert "has boxes of horse" in refused(tmp_path, det=coco(tmp_path), det_test=test)


def test_photos_with_an_orientation_are_annotated_in_one_way(tmp_path: Path) -> None:
    file = coco(tmp_path)
    turned = Image.Exif()
    turned[0x0112] = 6
    photo(tmp_path / "images" / "0.jpg", 0, (160, 120), exif=turned)
    out, _ = init(tmp_path, det=file)
    cfg = Config.fromfile(out / "configs" / "own_det.py")
    assert cfg.test_pipeline[0].color_type == "color_ignore_orientation"
    shutil.rmtree(out)
    photo(tmp_path / "images" / "1.jpg", 1, (120, 160), exif=turned)
    assert "annotated in two ways, turned (1.jpg) and as they are stored (0.jpg)" in refused(tmp_path, det=file)
    photo(tmp_path / "images" / "0.jpg", 0, (120, 160), exif=turned)
    out, _ = init(tmp_path, det=file)
    assert Config.fromfile(out / "configs" / "own_det.py").test_pipeline[0].color_type == "color"


def test_xml_without_photos_and_without_files(tmp_path: Path) -> None:
    (tmp_path / "annots").mkdir()
    assert "holds no annotations that are known: COCO JSON, VOC XML" in refused(tmp_path, det=tmp_path / "annots")
    (tmp_path / "annots" / "a.xml").write_text("<annotation></annotation>")
    assert "Set --det-images" in refused(tmp_path, FileNotFoundError, det=tmp_path / "annots")
    photo(tmp_path / "images" / "a.jpg", 0)
    assert "none of 1 XML files has an <object>" in refused(tmp_path, det=tmp_path / "annots")
    (tmp_path / "annots" / "a.xml").write_text("<annotation><obj")
    assert "is not valid XML" in refused(tmp_path, det=tmp_path / "annots")


def test_too_few_images_for_a_split(tmp_path: Path) -> None:
    assert "Give --det-test, or add images" in refused(tmp_path, det=coco(tmp_path, 2))
    cat: dict[str, Any] = {
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [BOX | {"id": 0, "image_id": 7, "category_id": 3}],
    }
    assert "Give --det-test, or add images" in refused(tmp_path, det=coco(tmp_path, 1, **cat))
    assert "no test image has a box that counts" in refused(tmp_path, det=coco(tmp_path, 2, **cat))


def test_a_test_without_images(tmp_path: Path) -> None:
    det, nothing = coco(tmp_path / "a"), coco(tmp_path / "b", 1, images=[], annotations=[])
    assert "the list 'images' is empty: nothing can be" in refused(tmp_path, det=det, det_test=nothing)


def test_bad_class_folders_are_named(tmp_path: Path) -> None:
    def message(folder: Path, kind: type[Exception] = ValueError, **settings: Any) -> str:
        return refused(tmp_path, kind, cls=folder, **settings)

    assert "There is no folder" in message(tmp_path / "none", FileNotFoundError)
    assert "holds one class folder, cat" in message(class_folders(tmp_path / "one", cat=4))
    assert "holds test, train, which are parts" in message(class_folders(tmp_path / "parts", train=3, test=3))
    small = class_folders(tmp_path / "small", cat=9, dog=4)
    assert "fewer than 6 different images" in message(small, cls_per_class=5) and "dog (4)" in message(
        small, cls_per_class=5
    )
    assert "have fewer than 2" in message(class_folders(tmp_path / "tiny", cat=9, dog=1))
    shutil.copy(small / "cat" / "0.jpg", small / "dog" / "0.jpg")
    assert "2 images that lie in several classes: cat/0.jpg, dog/0.jpg" in message(small)
    (small / "dog" / "0.jpg").write_bytes(b"no picture")
    assert "1 images that cannot be read: dog/0.jpg" in message(small)


def test_images_in_folders_inside_of_class_folders_are_used(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", **{"cat": 4, " dog": 4})
    for label, name in enumerate(("cat", " dog")):
        for i in range(4):
            photo(folder / name / "day2" / f"{i}.jpg", 1000 + 10 * label + i, (40, 30))
    (folder / "cat" / "._0.jpg").write_bytes(b"resource fork")
    (folder / "cat" / "notes.txt").touch()
    out, text = init(tmp_path, cls=tmp_path / "pets")
    assert "2 classes of 8 images; 10 training images, 5 of each class, and 6 test images" in text
    assert "8 images lie in folders inside of the class folders and are used, such as  dog/day2/0.jpg" in text
    assert "Left out: 1 hidden files, such as cat/._0.jpg; 1 files whose names are not those of images" in text
    lines = [(out / "data" / f"own_cls_{part}.txt").read_text().splitlines() for part in ("train", "test")]
    assert len({*lines[0], *lines[1]}) == 16 and sum("day2" in line for line in lines[0] + lines[1]) == 8
    cfg = Config.fromfile(out / "configs" / "own_cls.py")
    data = [
        ClassFolders(**{k: v for k, v in cfg[f"{p}_dataloader"].dataset.items() if k != "type"} | {"pipeline": []})
        for p in ("train", "test")
    ]
    assert [len(part) for part in data] == [10, 6] and data[0].metainfo["classes"] == ("dog", "cat")


def test_a_root_above_the_class_folders_is_accepted(tmp_path: Path) -> None:
    class_folders(tmp_path / "set" / "101_ObjectCategories", cat=4, dog=4)
    (tmp_path / "set" / "train.txt").touch()
    _, text = init(tmp_path, cls=tmp_path / "set")
    assert f"The class folders: {tmp_path}/set/101_ObjectCategories" in text and "2 classes of 4 images" in text


def test_photos_that_are_cut_off_are_refused_by_name_and_can_be_left_out(tmp_path: Path) -> None:
    folder, file = class_folders(tmp_path / "pets", cat=6, dog=6), coco(tmp_path)
    for path in (folder / "dog" / "3.jpg", tmp_path / "images" / "4.jpg"):
        path.write_bytes(path.read_bytes()[:-200])
    reason = r"\(the JPEG is cut off or damaged"
    assert re.search(rf"1 images that cannot be read: dog/3.jpg {reason}", refused(tmp_path, cls=folder))
    assert re.search(rf"1 images cannot be decoded: 4.jpg {reason}", refused(tmp_path, det=file))
    _, text = init(tmp_path, cls=folder, det=file, leave_out_bad=True)
    assert "Left out: 1 images that cannot be read." in text and "1 images cannot be decoded" in text
    assert "2 classes of 5 to 6 images" in text


def test_copies_in_a_class_are_left_out(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", cat=6, dog=6)
    for i in range(3):
        shutil.copy(folder / "cat" / "0.jpg", folder / "cat" / f"copy{i}.jpg")
    shutil.copy(folder / "cat" / "1.jpg", folder / "dog" / "1.jpg")
    out, text = init(tmp_path, cls=folder, leave_out_bad=True)
    assert "Left out: 2 images that lie in several classes; 3 copies of an image of the same class." in text
    lines = [(out / "data" / f"own_cls_{part}.txt").read_text().split() for part in ("train", "test")]
    assert len(lines[0]) + len(lines[1]) == 10 and not any("copy" in line for line in lines[0] + lines[1])


def test_bad_settings_are_named(tmp_path: Path) -> None:
    assert "give --det" in refused(tmp_path)
    folder = class_folders(tmp_path / "pets", cat=6, dog=6)
    assert "--det-test needs --det" in refused(tmp_path, cls=folder, det_test=tmp_path)
    assert "--seeds is 0" in refused(tmp_path, cls=folder, seeds=0)
    assert "--cls-per-class is 0" in refused(tmp_path, cls=folder, cls_per_class=0)
    (tmp_path / "study").mkdir()
    with pytest.raises(FileExistsError, match="give another --out"):
        init(tmp_path, cls=folder)
    assert not list((tmp_path / "study").iterdir())


def test_the_command_prints_one_message_and_returns_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_init_arguments(parser)
    assert run_init(parser.parse_args(["--out", str(tmp_path / "study"), "--det", str(tmp_path / "none.json")])) == 1
    assert capsys.readouterr().err == (
        f"study init: There is no {tmp_path}/none.json: give a file or folder of {KNOWN}.\n"
    )
    folder = class_folders(tmp_path / "pets", cat=6, dog=6)
    assert run_init(parser.parse_args(["--out", str(tmp_path / "study"), "--cls", str(folder)])) == 0
    assert "Run the study:" in capsys.readouterr().out
    assert "Example: mmdetpre study init --det" in parser.format_help()


def test_small_objects_are_tested_at_every_scale(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 1600, "height": 1200} for i in range(6)]
    boxes = [
        {"image_id": i, "category_id": 3, "bbox": [20, 20, side, side]} for i in range(6) for side in (24, 90, 800)
    ]
    file = coco(tmp_path, images=images, annotations=boxes, categories=[{"id": 3, "name": "cat"}])
    for i in range(6):
        photo(tmp_path / "images" / f"{i}.jpg", i, (1600, 1200))
    out, text = init(tmp_path, det=file)
    cfg = Config.fromfile(out / "configs" / "own_det.py")
    chips = cfg.train_dataloader.dataset.chips
    sides = [side for _, side in chips.scales]
    assert len(sides) > 1 and sides[-1] == 128 and f"longer image side {', '.join(map(str, sides))}" in text
    assert [resize.scale[0] for resize in cfg.tta_pipeline[1].transforms[0]] == sides
    assert cfg.test_pipeline[1].scale[0] == sides[(len(sides) - 1) // 2]
    for (lo, hi), (test_lo, test_hi) in zip(chips.valid_ranges, cfg.tta_model.test_ranges, strict=True):
        assert (test_lo < lo or lo == test_lo == -1) and (test_hi > hi or hi == test_hi == -1)
    assert yaml.safe_load((out / "study.yaml").read_text())["tasks"]["own_det"]["tta"] is True


def test_the_cost_of_chips_is_said_and_classes_of_too_few_pixels_are_warned_of(tmp_path: Path) -> None:
    sides = {3: 4, 5: 60}
    boxes = [
        {"image_id": 7 + i, "category_id": label, "bbox": [20, 10, side, side]}
        for i in range(10)
        for label, side in sides.items()
    ]
    _, text = init(tmp_path, det=coco(tmp_path, annotations=boxes))
    assert re.search(r"^cat +8 +4 +12 +3\.00 +100 %$", text, re.MULTILINE)  # enlarged 3 times, as far as it goes
    assert re.search(r"^dog +8 +60 +48 +0\.80 +0 %$", text, re.MULTILINE)
    assert "Cost: 2.0 chips of an image, 32,768 pixels, 2.0 times one scale of 128; in the test" in text
    assert (
        "Warning: Half of the boxes of cat have 12 pixels or fewer as the network sees them (4 in the images)" in text
    )
    assert "boxes of dog have" not in text


@pytest.mark.parametrize("source", ["kangaroo/annots", "raccoon/annotations"])
def test_real_voc_xml(shared_data: Path, tmp_path: Path, source: str) -> None:
    from mmdetpre.study.custom_data.split import same_files

    out, text = init(tmp_path, det=shared_data / source)
    parts = [split(out, part)["images"] for part in ("train", "test")]
    folder = (shared_data / source).parent / "images"
    for group in same_files([folder / image["file_name"] for part in parts for image in part]):
        assert len({index < len(parts[0]) for index in group}) == 1
    assert "more than once" in text and abs(len(parts[1]) / (len(parts[0]) + len(parts[1])) - 0.2) < 0.03
