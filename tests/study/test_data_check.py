"""The data of a study: counted where they are there, listed all at once where they are not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mmdetpre.study.data_check import check_data, data_sources, write_data
from mmdetpre.study.spec import read_study


def study_of(folder: Path, inits: dict, tasks: dict):
    path = folder / "study.yaml"
    path.write_text(json.dumps({"name": "a", "out": str(folder / "out"), "seeds": [0], "inits": inits, "tasks": tasks}))
    return read_study(path)


def test_each_data_set_is_looked_at_once(repository: Path) -> None:
    sources = data_sources(read_study(repository / "tools/study/paper.yaml"))
    assert {source.key: source.roles for source in sources} == {
        "pretraining_imagenet_loc": ["pretraining"],
        "pretraining_coco": ["pretraining", "coco_detection"],
        "pretraining_openimages": ["pretraining"],
        "voc_detection": ["voc_detection"],
        "voc_segmentation": ["voc_segmentation"],
        "caltech256": ["caltech256", "caltech256_linear", "caltech256_layers"],
        "sun397": ["sun397", "sun397_linear", "sun397_layers"],
        "flowers102": ["flowers102", "flowers102_linear", "flowers102_layers"],
    }


def test_what_is_missing_is_listed_at_once(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        check_data(read_study(repository / "tools/study/paper.yaml"))
    text = str(error.value)
    assert text.startswith("Nothing was trained")
    for part in (
        "train-annotations-bbox.csv",
        "instances_train2017.json",
        "VOC2007",
        "256_ObjectCategories",
        "setid.mat",
    ):
        assert part in text


def test_sizes_are_those_that_were_loaded(tiny_voc: Path, tmp_path: Path) -> None:
    devkit = str(tiny_voc / "VOCdevkit") + "/"
    options = {
        "train_dataloader.dataset.dataset.data_root": devkit,
        "test_dataloader.dataset.data_root": devkit,
    }
    config = "configs/det/sniper_voc_sample.py"
    tasks = {"voc_detection": {"kind": "detection", "config": config, "scratch_config": config, "options": options}}
    content = check_data(study_of(tmp_path, {"scratch": None}, tasks))
    entry = content[0].to_dict()
    assert (entry["classes"], entry["train"]["images"], entry["test"]["images"]) == (4, 24, 6)
    objects = {part: "".join(annotations(tiny_voc / "VOCdevkit/VOC2012", part)) for part in ("train", "val")}
    learned = objects["train"].count("<difficult>0</difficult>")  # difficult objects are not trained on
    assert (entry["train"]["objects"], entry["test"]["objects"]) == (learned, objects["val"].count("<object>"))
    assert set(entry["train"]) == set(entry["test"]) == {"images", "objects"}
    assert str(content[0]).startswith("voc_detection: 4 classes; train 24 images, ")
    write_data(tmp_path / "out", content)
    first = (tmp_path / "out/data.json").stat().st_mtime_ns
    write_data(tmp_path / "out", content)
    assert (tmp_path / "out/data.json").stat().st_mtime_ns == first


def test_images_that_cannot_be_decoded_are_listed(tiny_coco: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tiny_coco, tmp_path / "coco")
    options = {f"{part}_dataloader.dataset.data_root": f"{root}/" for part in ("train", "test")}
    options["train_dataloader.dataset.dataset.data_root"] = options.pop("train_dataloader.dataset.data_root")
    options["train_dataloader.dataset.max_broken"] = 1
    config = "configs/det/sniper_coco_sample.py"
    tasks = {"coco": {"kind": "detection", "config": config, "scratch_config": config, "options": options}}
    study = study_of(tmp_path, {"scratch": None}, tasks)
    cut = {part: sorted((root / f"{part}2017").iterdir())[1] for part in ("train", "val")}
    for path in cut.values():
        path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FileNotFoundError) as error:
        check_data(study)
    text = str(error.value)
    assert f"1 of 6 test images cannot be decoded:\n    {cut['val']} (" in text and "--leave-out-bad" in text
    table = str(check_data(study, leave_out_bad=True)[0])  # chips replace one broken image of 24
    assert table.count(", 1 of them broken") == 2
    tasks["coco"]["options"]["train_dataloader.dataset.max_broken"] = 0
    with pytest.raises(FileNotFoundError, match=f"1 of 24 train images cannot be decoded:\n    {cut['train']} "):
        check_data(study_of(tmp_path, {"scratch": None}, tasks), leave_out_bad=True)


def annotations(root: Path, part: str) -> list[str]:
    names = (root / f"ImageSets/Main/{part}.txt").read_text().split()
    return [(root / f"Annotations/{name}.xml").read_text() for name in names]
