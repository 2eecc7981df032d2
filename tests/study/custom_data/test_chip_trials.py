"""Trials of chips: which are taken, what is written and kept. The trainings are those of a study, tested as such."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.study.custom_data import chip_trials
from mmdetpre.study.custom_data.boxes import OwnBoxes, read_own_boxes
from mmdetpre.study.custom_data.chip_search import search_chips
from mmdetpre.study.custom_data.chip_trials import Trial, cheapest_of_the_best, short_training, standard_error
from mmdetpre.study.custom_data.detection_data import DetectionData
from mmdetpre.study.custom_data.init_study import Settings, init_study
from mmdetpre.study.custom_data.models import MODELS
from mmdetpre.study.plan import make_plan
from mmdetpre.study.spec import read_study

SAMPLE = MODELS["sample"]


def trial(name: str, cost: float, ap50: float, spread: float = 1.0) -> Trial:
    """A trial whose resamples move by themselves."""
    noise = np.random.default_rng(len(name)).normal(0, spread, 1000)
    return Trial(name, None, cost, ap50, {}, ap50 + noise)  # type: ignore[arg-type]


def test_of_those_within_a_standard_error_the_cheapest_is_taken() -> None:
    best, alike, worse = trial("a", 9.0, 60.0), trial("bb", 2.0, 59.0), trial("ccc", 1.0, 57.0)
    assert 1.3 < standard_error(best, alike) < 1.5  # of the difference of two
    assert cheapest_of_the_best([worse, best, alike]) is alike
    assert cheapest_of_the_best([worse, best]) is best
    assert cheapest_of_the_best([trial("a", 2.0, 60.0), trial("bb", 2.0, 60.5)]).ap50 == 60.5  # not the same cost twice


def test_few_images_excuse_three_points_at_most() -> None:
    best, cheap = trial("a", 9.0, 60.0, spread=10), trial("bb", 1.0, 56.9, spread=10)
    assert cheapest_of_the_best([best, cheap]) is best


def test_what_moves_together_is_told_apart() -> None:
    """Two trials that the same images are hard for: their difference is certain."""
    noise = np.random.default_rng(0).normal(0, 10, 1000)
    best = Trial("a", None, 9.0, 60.0, {}, 60 + noise)  # type: ignore[arg-type]
    cheap = Trial("b", None, 1.0, 59.0, {}, 59 + noise)  # type: ignore[arg-type]
    assert cheapest_of_the_best([best, cheap]) is best


def cells(root: Path, count: int = 12) -> Path:
    """Photos with four cells and a platelet each."""
    (root / "images").mkdir(parents=True)
    boxes = [(1, 90), (1, 90), (1, 90), (1, 90), (2, 30)]
    for i in range(count):
        Image.fromarray(np.full((480, 640, 3), i, np.uint8)).save(root / "images" / f"{i}.png")
    content = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 640, "height": 480} for i in range(count)],
        "annotations": [
            {"id": 9 * i + j, "image_id": i, "category_id": label, "bbox": [100 * j, 5, side, side], "iscrowd": 0}
            for i in range(count)
            for j, (label, side) in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "cell"}, {"id": 2, "name": "platelet"}],
    }
    file = root / "cells.json"
    file.write_text(json.dumps(content))
    return file


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Instead of trainings: runs of several scales find all, others the cells alone. Lists the runs that were made."""
    made: list[list[str]] = []

    def run_study(file: Path, *, cores: int, timing: bool) -> int:
        assert cores >= 1 and not timing
        study = read_study(file)
        plan = make_plan(study)
        made.append([])
        for run in plan.values():
            results = study.out / "runs" / run.id / "test" / "results.npz"
            if results.exists() or "smaller" in run.id:
                continue
            made[-1].append(run.id)
            cfg = Config.fromfile(study.path.parent / "configs" / f"{run.task}.py")
            test = json.loads((study.path.parent / "data" / "held_out_test.json").read_text())
            assert (cfg.val_dataloader.dataset.ann_file, bool(run.settings["tta"])) == (
                "held_out_test.json",
                len(cfg.train_dataloader.dataset.chips.scales) > 1,
            )
            detections_of(test, platelets=bool(run.settings["tta"])).save(results)
        return 0

    monkeypatch.setattr(chip_trials, "run_study", run_study)
    return made


def detections_of(content: dict, *, platelets: bool) -> Detections:
    """All boxes of a COCO JSON as detections, or only those of cells."""
    ids = [image["id"] for image in content["images"]]
    rows = [(ids.index(one["image_id"]), one["bbox"], one["category_id"] - 1) for one in content["annotations"]]
    rows.sort(key=lambda row: row[0])
    image, boxes, labels = (np.array(column) for column in zip(*rows, strict=True))
    boxes = boxes.astype(np.float32)
    boxes[:, 2:] += boxes[:, :2]
    found = np.full(len(rows), True) if platelets else labels == 0
    truth = GroundTruth(image, boxes, labels, np.zeros(len(rows), bool))
    names = tuple(image["file_name"] for image in content["images"])
    scores = np.full(int(found.sum()), 0.9)
    return Detections(("cell", "platelet"), names, image[found], boxes[found], scores, labels[found], truth=truth)


def test_a_search_takes_the_best_says_the_table_and_continues(
    tmp_path: Path, trained: list[list[str]], make_train: Callable[[Path], OwnBoxes]
) -> None:
    train, folder = make_train(tmp_path), tmp_path / "search"
    first = search_chips(folder, train, SAMPLE, 3)
    assert trained == [[f"{name}/scratch/seed0" for name in ("proposed", "coarser", "finer")]]
    second = search_chips(folder, train, SAMPLE, 7)
    assert [run.partition("/")[0] for run in trained[1]] == ["fewer_scales", "larger_chips", "one_scale"]
    lines = second.text.splitlines()
    assert "6 short trainings on 9 training images, scored on the other 3" in lines[0]
    assert lines[1].split()[-2:] == ["platelet", "cell"]  # the smallest first
    assert "Warning: 1 of the trainings failed" in second.text
    rows = {cells[0]: cells[1:] for cells in (re.split(r" {2,}", line) for line in lines[3:9])}
    assert rows["one_scale"][-4:] == ["50.0", "-50.0 ± 0.0", "0.0", "100.0"]
    # All of several scales find everything: the cheapest of them is taken.
    (taken,) = (name for name in rows if name.endswith(" *"))
    assert taken != "one_scale *" and len(second.chips.scales) > 1
    cost = {name: float(cells[2]) for name, cells in rows.items() if name != "one_scale"}
    assert cost[taken] == min(cost.values()) < max(cost.values())
    assert first.chips.chip_size == 128


@pytest.fixture
def make_train() -> Callable[[Path], OwnBoxes]:
    return lambda root: read_own_boxes(cells(root / "data"))


def test_other_data_or_weights_are_tried_anew(
    tmp_path: Path, trained: list[list[str]], make_train: Callable[[Path], OwnBoxes]
) -> None:
    train, folder = make_train(tmp_path), tmp_path / "search"
    search_chips(folder, train, SAMPLE, 2)
    search_chips(folder, train.of_images(range(10)), SAMPLE, 2)
    search_chips(folder, train, short_training(SAMPLE, 5), 2)
    search_chips(folder, train, SAMPLE, 2)
    assert list(map(len, trained)) == [2, 2, 2, 0]
    assert len(list(folder.glob("*/study.yaml"))) == 3


def test_a_users_own_file_in_the_folder_is_left(
    tmp_path: Path, trained: list[list[str]], make_train: Callable[[Path], OwnBoxes]
) -> None:
    train, folder = make_train(tmp_path), tmp_path / "search"
    search_chips(folder, train, SAMPLE, 2)
    (config,) = folder.glob("*/configs/proposed.py")
    config.write_text("mine = 1\n")
    with pytest.raises(FileExistsError, match=r"proposed\.py is not as mmdetpre wrote it"):
        search_chips(folder, train, SAMPLE, 2)


def test_no_training_that_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_train: Callable[[Path], OwnBoxes]
) -> None:
    monkeypatch.setattr(chip_trials, "run_study", lambda file, **_: 1)
    with pytest.raises(ValueError, match="None of the trainings of the search succeeded: their logs are in"):
        search_chips(tmp_path / "search", make_train(tmp_path), SAMPLE, 2)


def test_too_few_images_to_hold_any_out(tmp_path: Path, make_train: Callable[[Path], OwnBoxes]) -> None:
    with pytest.raises(ValueError, match="--search needs images to hold out"):
        search_chips(tmp_path / "search", make_train(tmp_path).of_images([0]), SAMPLE, 2)


def test_init_takes_what_the_search_found(tmp_path: Path, trained: list[list[str]]) -> None:
    data = [DetectionData(cells(tmp_path / "data"))]
    text = init_study(Settings(tmp_path / "study", data, model="sample", search=4))
    table = (tmp_path / "study" / "own_det_chip_search.txt").read_text()
    assert table.strip() in text and "no test image was seen" in table
    taken = next(line.split()[0] for line in table.splitlines() if " * " in line)
    (tried,) = (tmp_path / "study_search").glob(f"*/configs/{taken}.py")
    configs = [Config.fromfile(path) for path in (tried, tmp_path / "study" / "configs" / "own_det.py")]
    assert configs[0].chips == configs[1].chips
    for search, options in ((1, {"det": data}), (3, {"cls": tmp_path})):
        with pytest.raises(ValueError, match="--search tries so many chip settings for --det"):
            init_study(Settings(tmp_path / "other", model="sample", search=search, **options))
