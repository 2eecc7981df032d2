"""A study's folder as the workflow leaves it, written by hand: no training is needed to test a report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

SEEDS = (0, 1, 2)
INITS = {"scratch": "from scratch", "imagenet_cls": "ImageNet-CLS", "coco": "COCO", "openimages": "OpenImagesV4"}
AP50 = {"scratch": (30.0, 31.0, 32.0), "imagenet_cls": (50.0, 52.0, 54.0), "coco": (62.0, 64.0, 66.0)}
MISSED = {"scratch": (40.0, 41.0, 42.0), "imagenet_cls": (30.0, 31.0, 32.0), "coco": (20.0, 21.0, 22.0)}
MIOU = {"scratch": (40.0, 44.0, 42.0), "imagenet_cls": (60.0, 62.0, 64.0), "coco": (61.0, 66.0, 62.0)}
TASKS: dict[str, dict[str, Any]] = {
    "voc_detection": {"kind": "detection", "title": "PASCAL VOC", "data": "voc", "table": "2"},
    "own_det": {"kind": "detection", "title": "Kangaroos", "data": "own", "table": "2"},
    "voc_segmentation": {"kind": "segmentation", "title": "PASCAL VOC", "data": "voc_seg", "table": "4"},
    "caltech256": {"kind": "classification", "title": "Caltech-256", "data": "caltech256", "table": "5"},
    "caltech256_linear": {"kind": "linear", "title": "Caltech-256", "data": "caltech256", "table": "6"},
    "caltech256_layers": {"kind": "layers", "title": "Caltech-256", "data": "caltech256", "table": "7"},
}


def _write_classifiers(folder: Path, data: Path, tasks: Mapping[str, Mapping[str, Any]], **settings: Any) -> Path:
    """File of a study of classifiers from scratch, each of four images a class, one epoch if its options do not say.

    Args:
        folder: Gets the file.
        data: Root of the synthetic Caltech-256.
        tasks: Key -> options.
        settings: Of the study.
    """
    options: dict[str, Any] = {"train_cfg.max_epochs": 1, "train_cfg.val_begin": 999, "param_scheduler": None}
    for part in ("train", "val", "test"):
        options[f"{part}_dataloader.dataset.data_root"] = str(data)
        options[f"{part}_dataloader.dataset.per_class"] = 4
        options[f"{part}_dataloader.num_workers"] = 0
    config = "configs/cls/caltech256_sample.py"
    task = {"kind": "classification", "config": config, "scratch_config": config}
    content = {
        "name": "small",
        "out": str(folder / "out"),
        "seeds": [0],
        "inits": {"scratch": {"title": "from scratch"}},
        "tasks": {key: task | {"options": options | dict(own)} for key, own in tasks.items()},
    }
    path = folder / "study.yaml"
    path.write_text(json.dumps(content | settings))
    return path


@pytest.fixture
def write_classifiers() -> Callable[..., Path]:
    """Function that writes the file of a small study."""
    return _write_classifiers


class FakeStudy:
    """Writes the files of a study; every method overwrites."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.plan: dict[str, Any] = {
            "format": "mmdetpre.study/1",
            "name": "fake",
            "title": "A study that nobody ran",
            "file": "studies/fake.yaml",
            "seeds": list(SEEDS),
            "reference": "imagenet_cls",
            "starts": {key: {"title": title} for key, title in INITS.items()},
            "tasks": TASKS,
            "runs": {},
        }

    def put(self, name: str, content: Any) -> Path:
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def planned(self, run: str, task: str, init: str | None = None, seed: int | None = None, *needs: str) -> None:
        self.plan["runs"][run] = {"task": task, "start": init, "seed": seed, "needs": list(needs)}
        self.put("study.json", self.plan)

    def record(self, run: str, cells: Mapping[tuple[str, ...], Any] = {}, **change: Any) -> None:  # noqa: B006
        """``cells``: (table, row, column) or (table, row, column, group) -> value or (value, low, high)."""
        facts = self.plan["runs"].get(run, {"task": "?", "start": None, "seed": None})
        rows = []
        for (table, row, column, *group), value in cells.items():
            value, low, high = value if isinstance(value, tuple) else (value, None, None)
            rows.append({"table": table, "row": row, "column": column, "value": value, "low": low, "high": high})
            rows[-1] |= {"group": group[0]} if group else {}
        init = facts["start"]
        self.put(
            f"records/{run}.json",
            {
                "format": "mmdetpre.study.run/1",
                "run": run,
                "task": facts["task"],
                "start": init,
                "seed": facts["seed"],
                "finished": "2026-11-25T14:02:11",
                "seconds": 71.2,
                "commands": [["mim", "train", "mmdet", "a config.py"], ["mim", "test", "mmdet", "a config.py"]],
                "config": "configs/det/sniper_voc_sample.py",
                "config_digest": "c0ffee" * 8,
                "options": {"train_cfg.max_epochs": 2},
                "checkpoint": {"file": f"{self.out}/runs/{run}/epoch_2.pth", "sha256": "ab" * 32},
                "load": None
                if init in (None, "scratch")
                else {
                    "verdict": "complete",
                    "digest": f"{init}-digest",
                    "source": f"pretraining/{init}/backbone.pth",
                },
                "versions": {"mmdetpre": "0.1.0", "torch": "2.11.0"},
                "device": "CPU, 2 cores",
                **({} if init == "scratch" else {"operators": "torchvision 0.26.0"}),  # older records have none
                "cells": rows,
                "figure": None,
                "notes": [],
            }
            | change,
        )

    def failure(self, run: str, error: str = "RuntimeError: out of memory", **change: Any) -> None:
        facts = self.plan["runs"].get(run, {"task": "?", "start": None, "seed": None})
        self.put(
            f"failed/{run}.json",
            {
                "format": "mmdetpre.study.failure/1",
                "run": run,
                "task": facts["task"],
                "start": facts["start"],
                "seed": facts["seed"],
                "finished": "2026-11-25T14:03:00",
                "seconds": 3.0,
                "commands": [["mim", "train"]],
                "exit": 1,
                "error": error,
                "log": f"{self.out}/logs/{run}.log",
            }
            | change,
        )

    def picture(self, name: str, size: tuple[int, int] = (1200, 400)) -> None:
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.linear_gradient("L").resize(size).save(path)


@pytest.fixture
def empty_study(tmp_path: Path) -> FakeStudy:
    """A study whose plan holds inits and tasks, and no run."""
    study = FakeStudy(tmp_path / "study")
    study.put("study.json", study.plan)
    return study


@pytest.fixture
def fake_study(tmp_path: Path) -> FakeStudy:
    """A whole study: OpenImages could not be pre-trained, a run failed, one is missing."""
    return fill(FakeStudy(tmp_path / "study"))


@pytest.fixture(scope="module")
def shared_study(tmp_path_factory: pytest.TempPathFactory) -> FakeStudy:
    """The same for tests that only read."""
    return fill(FakeStudy(tmp_path_factory.mktemp("shared") / "study"))


def fill(study: FakeStudy) -> FakeStudy:
    for init, score in (("imagenet_cls", ("accuracy", 61.0)), ("coco", ("AP50", 44.5)), ("openimages", None)):
        run = f"pretraining/{init}"
        study.planned(run, "pretraining", init)
        if score:
            study.record(run, {("pretraining", init, score[0]): score[1]}, load=None)
        else:
            study.failure(run, "Traceback ...\nFileNotFoundError: data/OpenImages is not there & <empty>")
    for init in INITS:
        needs = () if init == "scratch" else (f"pretraining/{init}",)
        for seed in SEEDS:
            for task in ("voc_detection", "own_det", "voc_segmentation", "caltech256"):
                run = f"{task}/{init}/seed{seed}"
                study.planned(run, task, init, seed, *needs)
                if init != "openimages":
                    _transfer(study, run, task, init, seed)
        for task in ("caltech256_linear", "caltech256_layers"):
            if task == "caltech256_layers" and init in ("scratch", "imagenet_cls"):
                continue
            run = f"{task.split('_')[1]}/caltech256/{init}"
            study.planned(run, task, init, None, *needs)
            if init == "openimages":
                continue
            if task == "caltech256_linear":
                value = {"scratch": (40.0, 35.0, 45.5), "imagenet_cls": (55.0, 49.0, 60.5), "coco": (53.0, 47.0, 58.5)}
                study.record(run, {("6", init, "caltech256"): value[init]})
            else:
                layers = {"conv5_pooled": (53.2, 47.6, 58.8), "fc1": (37.6, 32.3, 43.1), "fc2": (37.3, 32.1, 42.9)}
                study.record(run, {("7", layer, "caltech256", init): v for layer, v in layers.items()})
    for init in ("scratch", "imagenet_cls", "coco"):
        weights = f"backbone_init = dict(checkpoint='{init}.pth')\n" if init != "scratch" else ""
        folder = f"test_evaluator = dict(outfile_prefix='out/runs/voc_detection/{init}/seed0/test')\n"
        folder += f"proposals = 'out/runs/proposals/voc_detection/{init}/seed0'\n"
        study.put(f"configs/voc_detection/{init}/seed0.py", f"model = dict(type='A')\n{weights}{folder}")
    for number in "14567":
        study.planned(f"figures/{number}", "figures", None, None, "voc_detection/coco/seed0")
    for number, title in (("1", "AP over IoU"), ("4", "mIoU near boundaries"), ("6", "Agreement of clusters")):
        image = f"figures/figure_{number}.png"
        study.record(
            f"figures/{number}",
            figure={
                "number": number,
                "title": title,
                "caption": "Drawn from seed 0.",
                "image": image,
                "data": f"figures/figure_{number}.json",
            },
        )
        if number != "6":
            study.picture(image)
    study.failure("figures/5", "ValueError: fewer than two images")
    study.put(
        "data.json",
        {
            "format": "mmdetpre.study.data/1",
            "data": [
                {
                    "key": "voc",
                    "title": "PASCAL VOC",
                    "roles": ["voc_detection"],
                    "classes": 20,
                    "train": {"images": 16551, "objects": 40058},
                    "test": {"images": 4952, "objects": 12032},
                    "root": "data/VOCdevkit",
                    "config": "configs/det/sniper_voc.py",
                },
                {
                    "key": "caltech256",
                    "title": "Caltech-256",
                    "roles": ["caltech256", "caltech256_linear", "caltech256_layers"],
                    "classes": 257,
                    "train": {"images": 15420, "objects": None},
                    "test": {"images": 15187, "objects": None},
                    "root": "data/caltech256",
                    "config": "configs/cls/caltech256.py",
                },
                {
                    "key": "openimages",
                    "title": "OpenImagesV4",
                    "roles": ["openimages"],
                    "classes": 500,
                    "train": {"images": 1743042, "objects": 14610229},
                    "test": None,
                    "root": "data/OpenImages",
                    "config": "configs/det/sniper_openimages.py",
                },
            ],
        },
    )
    return study


def parts_of(ap50: float) -> list[dict[str, Any]]:
    """Numbers by class and by size, as a run of a detector leaves them; cats are on too few images for resamples."""
    names = {"cat": 3, "dog": 40}
    rows = [
        {"by": "class", "name": name, "measure": "AP at IoU 0.5", "value": ap50 + k, "count": count}
        for k, (name, count) in enumerate(names.items())
    ]
    values = [ap50 + step for step in (0.5, 1.0, 1.5)]
    rows[1]["resampled"] = {"images": 100, "digest": "aa", "values": values}
    sizes = {"small": ap50 - 20, "medium": ap50, "large": None}
    measure = "mAP at IoU 0.5"
    return rows + [{"by": "size", "name": n, "measure": measure, "value": v, "count": 20} for n, v in sizes.items()]


def _transfer(study: FakeStudy, run: str, task: str, init: str, seed: int) -> None:
    if task == "voc_detection":
        if (init, seed) == ("scratch", 2):
            study.failure(run)
            return
        ap50, missed = AP50[init][seed], MISSED[init][seed]
        study.record(
            run,
            {
                ("2", init, "ap50"): ap50,
                ("2", init, "ap70"): ap50 - 15,
                ("3", init, "visible"): missed,
                ("3", init, "occluded"): missed + 20,
            },
            parts=parts_of(ap50),
            notes=["VOC's 11-point metric.", "Table 3: Occlusion: flag of the annotations."],
        )
    elif task == "own_det":
        if seed == 0:  # one seed only
            study.record(run, {("2", init, "own_det.ap50"): AP50[init][0] - 20})
    elif task == "voc_segmentation":
        miou = MIOU[init][seed]
        cells = {("4", init, "miou"): miou, ("4", init, "trimap"): miou - 12, ("4", init, "anti_trimap"): miou + 6}
        study.record(run, cells, notes=["The trimap is 10 pixels wide."])
    elif init != "scratch":
        study.record(run, {("5", init, "caltech256"): (80.0, 81.0, 82.0)[seed] - (7 if init == "coco" else 0)})
