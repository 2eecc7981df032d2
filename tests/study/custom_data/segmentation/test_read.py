"""A user's segmentation data: label maps in every form that people have, COCO's outlines, and their faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmdetpre.registry import DATASETS
from mmdetpre.study.custom_data.init_study import Settings, init_study
from mmdetpre.study.custom_data.segmentation.own_maps import OwnMaps
from mmdetpre.study.custom_data.segmentation.read import read_segmentation
from mmdetpre.study.plan import make_plan
from mmdetpre.study.spec import read_study

SIZE = (40, 30)
COUNT = 10


def photo(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    Image.fromarray(pixels).resize(SIZE).save(path)


def label_map(i: int) -> np.ndarray:
    """Background, an object of class 1 or 2, and a void pixel."""
    labels = np.zeros(SIZE[::-1], np.uint8)
    labels[5:20, 10:30] = 1 + i % 2
    labels[0, 0] = 255
    return labels


def save(path: Path, labels: np.ndarray, mode: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    if mode == "P":
        image = image.convert("P")
    image.save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for i in range(COUNT):
        photo(tmp_path / "images" / f"{i}.jpg", i)
        save(tmp_path / "masks" / f"{i}.png", label_map(i))
    return tmp_path


def change(root: Path, to: Callable[[np.ndarray], np.ndarray]) -> None:
    for i in range(COUNT):
        save(root / "masks" / f"{i}.png", to(label_map(i)))


def labels_of(part: OwnMaps) -> list[np.ndarray]:
    import io

    files = [io.BytesIO(part.drawn[name]) if part.maps_dir is None else part.maps_dir / name for name in part.maps]
    return [np.asarray(Image.open(file)) for file in files]


def refusal(source: Path, *arguments: Any, kind: type[Exception] = ValueError, **options: Any) -> str:
    with pytest.raises(kind) as error:
        read_segmentation(source, *arguments, **options)
    return str(error.value)


def test_maps_are_split_with_every_class_in_both_parts(root: Path) -> None:
    train, test = read_segmentation(root / "masks")
    assert (len(train.images), len(test.images)) == (8, 2)
    assert train.classes == ["class 0", "class 1", "class 2"] and train.maps_dir == root / "masks"
    assert {frozenset(labels) for labels in test.shown()} == {frozenset({0, 1}), frozenset({0, 2})}
    assert train.totals() == {0: 8 * 899, 1: 4 * 300, 2: 4 * 300, 255: 8}
    assert not train.drawn and train.left_out == {}


def test_folders_of_parts_are_kept(root: Path) -> None:
    for i in range(COUNT):
        for kind, suffix in (("images", "jpg"), ("masks", "png")):
            (root / kind / ("Train" if i < 7 else "valid")).mkdir(exist_ok=True)
            file = root / kind / f"{i}.{suffix}"
            file.rename(root / kind / ("Train" if i < 7 else "valid") / file.name)
    train, test = read_segmentation(root / "masks", root / "images")
    assert (len(train.images), len(test.images), train.part, test.part) == (7, 3, "train", "val")
    assert test.images == ["valid/7.jpg", "valid/8.jpg", "valid/9.jpg"]
    (root / "images" / "valid" / "8.jpg").write_bytes((root / "images" / "Train" / "2.jpg").read_bytes())
    assert "1 training photos are test photos as well" in refusal(root / "masks", root / "images")


def test_lists_of_voc_tell_the_parts(root: Path) -> None:
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (root / "masks").rename(root / "SegmentationClass")
    (root / "images").rename(root / "JPEGImages")
    for part, names in {"train": "125", "val": "34", "trainval": "12345", "test": "xyz"}.items():
        (lists / f"{part}.txt").write_text("\n".join(names) + "\n")
    for source in (root, root / "SegmentationClass"):
        train, test = read_segmentation(source)
        assert (train.images, test.images) == (["1.jpg", "2.jpg", "5.jpg"], ["3.jpg", "4.jpg"])
    assert train.left_out == {"label maps that no list in ImageSets/Segmentation names": 5}
    (root / "SegmentationClass" / "2.png").unlink()
    assert "1 images of the lists in ImageSets/Segmentation have no label map: 2" in refusal(
        root, kind=FileNotFoundError
    )
    assert read_segmentation(root, leave_out_bad=True)[0].images == ["1.jpg", "5.jpg"]
    (lists / "val.txt").write_text("3\n5\n")
    assert "train.txt and" in (told := refusal(root)) and "val.txt both name 5" in told


def test_a_list_without_background_has_one(root: Path) -> None:
    (root / "voc.names").write_text("cat\ndog\n")
    train, _ = read_segmentation(root / "masks", None, root / "voc.names")
    assert train.classes == ["background", "cat", "dog"]
    assert "voc.names names 2 classes, and the maps hold labels up to 2: 0 is read as background" in train.remarks[0]
    (root / "voc.names").write_text("Background\ndog\n")
    assert "do not fit 2 classes" in refusal(root / "masks", None, root / "voc.names")


NAMES = {
    "classes.txt": ("sky\ncat\ndog\n", ["sky", "cat", "dog"]),
    "labelmap.txt": (
        "# label:color_rgb:parts:actions\nsky:0,0,0::\ncat:128,0,0::\ndog:0,128,0::\n",
        ["sky", "cat", "dog"],
    ),
    "_classes.csv": ("Pixel Value, Class\n0, sky\n2, dog\n1, cat\n", ["sky", "cat", "dog"]),
}


@pytest.mark.parametrize("name", NAMES)
def test_class_lists(root: Path, name: str) -> None:
    text, classes = NAMES[name]
    (root / "masks" / name).write_text(text)
    assert read_segmentation(root / "masks")[0].classes == classes


def test_masks_of_another_ending_and_palette(root: Path) -> None:
    for i in range(COUNT):
        (root / "masks" / f"{i}.png").unlink()
        save(root / "images" / f"{i}_mask.png", label_map(i), "P")
    train, _ = read_segmentation(root / "images")
    assert len(train.images) == 8 and all(name.endswith(".jpg") for name in train.images)
    assert set(train.totals()) == {0, 1, 2, 255}


def test_masks_of_0_and_255_are_background_and_object(root: Path) -> None:
    change(root, lambda labels: np.where((labels > 0) & (labels < 255), 255, 0).astype(np.uint8))
    train, test = read_segmentation(root / "masks")
    assert train.classes == ["background", "object"] and set(train.totals()) == {0, 1}
    assert all((labels == (label_map(0) % 255 > 0)).all() for labels in labels_of(train))
    assert "255 is read as object, not as void" in train.remarks[0] and test.maps_dir is None


def test_values_with_gaps_and_of_16_bits_become_labels(root: Path) -> None:
    change(root, lambda labels: np.choose(labels % 254, [0, 700, 128]).astype(np.uint16))
    train, _ = read_segmentation(root / "masks")
    assert train.classes == ["class 0", "class 128", "class 700"]
    assert set(train.totals()) == {0, 1, 2}
    assert "the values 0, 128, 700 are drawn anew as 0 to 2" in train.remarks


def test_colors_by_their_list(root: Path) -> None:
    colors = np.zeros((256, 3), np.uint8)
    colors[1], colors[2] = (128, 0, 0), (0, 128, 0)
    change(root, lambda labels: colors[labels % 255])
    assert "it is in color (mode RGB)" in refusal(root / "masks")
    (root / "labelmap.txt").write_text(NAMES["labelmap.txt"][0])
    train, _ = read_segmentation(root / "masks")
    assert set(train.totals()) == {0, 1, 2} and "the maps are in color, by labelmap.txt" in train.remarks[0]
    save(root / "masks" / "3.png", np.full((*SIZE[::-1], 3), 9, np.uint8))
    assert "3.png (1,200 pixels of colors that labelmap.txt lacks, such as (9, 9, 9))" in refusal(root / "masks")
    assert len(read_segmentation(root / "masks", leave_out_bad=True)[0].images) == 7


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a map of another size": (
        lambda root: save(root / "masks" / "3.png", np.zeros((9, 9), np.uint8)),
        "1 label maps have another size than their photo: {root}/masks/3.png (9 x 9 pixels, its photo 40 x 30)",
    ),
    "a cut map": (
        lambda root: (root / "masks" / "3.png").write_bytes((root / "masks" / "3.png").read_bytes()[:60]),
        "1 label maps cannot be used: {root}/masks/3.png (the file cannot be read",
    ),
    "a cut photo": (
        lambda root: (root / "images" / "3.jpg").write_bytes((root / "images" / "3.jpg").read_bytes()[:400]),
        "1 photos cannot be decoded: 3.jpg",
    ),
    "a map without photo": (lambda root: (root / "images" / "3.jpg").unlink(), "1 label maps have no photo: 3"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_refused_or_counted(root: Path, fault: str) -> None:
    spoil, message = FAULTS[fault]
    spoil(root)
    kind = FileNotFoundError if "no photo" in message else ValueError
    told = refusal(root / "masks", kind=kind)
    assert message.format(root=root) in told and "--leave-out-bad" in told
    train, test = read_segmentation(root / "masks", leave_out_bad=True)
    assert len(train.images) + len(test.images) == COUNT - 1 and list(train.left_out.values()) == [1]


def test_more_faults(root: Path) -> None:
    (root / "classes.txt").write_text("sky\n")
    assert "do not fit 1 classes: 5 of 10 hold 1 (1,500 pixels)" in refusal(root / "masks")
    (root / "classes.txt").unlink()
    change(root, lambda labels: np.zeros_like(labels))
    assert "show one class alone (class 0), or none" in refusal(root / "masks")
    change(root, lambda labels: (np.arange(labels.size) % 201).reshape(labels.shape).astype(np.uint8) + 3)
    assert "hold 201 different values" in refusal(root / "masks")
    for i in range(COUNT):
        (root / "masks" / f"{i}.png").rename(root / "masks" / f"m{i}.png")
    assert "none of 10 label maps has a photo" in refusal(root / "masks", kind=FileNotFoundError)
    assert "10 JPEGs: they do not keep the values" in refusal(root / "images", kind=FileNotFoundError)
    assert "There is no folder" in refusal(root / "masks", root / "none", kind=FileNotFoundError)
    assert "There is no" in refusal(root / "none", kind=FileNotFoundError)


def coco(root: Path, **changes: Any) -> Path:
    """Each photo with a square, a smaller one on it, and in the first a crowd."""
    square = [10, 5, 30, 5, 30, 25, 10, 25]
    annotations: list[dict[str, Any]] = []
    for i in range(COUNT):
        box = {"image_id": i, "bbox": [10, 5, 20, 20], "iscrowd": 0}
        annotations.append(box | {"category_id": 1, "segmentation": [[12, 7, 14, 7, 14, 9, 12, 9]], "area": 4})
        annotations.append(box | {"category_id": 2, "segmentation": [square], "area": 400})
    runs = {"size": [30, 40], "counts": [0, 30, 1170]}
    annotations.append({"image_id": 0, "category_id": 2, "iscrowd": 1, "bbox": [0, 0, 1, 30], "segmentation": runs})
    annotations[5] |= changes
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 40, "height": 30} for i in range(COUNT)],
        "annotations": annotations,
        "categories": [{"id": 2, "name": "dog"}, {"id": 1, "name": "cat"}],
    }
    (root / "own.json").write_text(json.dumps(content))
    return root / "own.json"


def test_outlines_of_coco_are_drawn(root: Path) -> None:
    train, test = read_segmentation(coco(root))
    assert train.classes == ["background", "dog", "cat"] and len(train.maps) == 8 and len(test.maps) == 2
    for part in (train, test):
        for name, labels, counts in zip(part.images, labels_of(part), part.pixels, strict=True):
            void = {255: 30} if name == "0.jpg" else {}
            assert counts == {0: 800 - sum(void.values()), 1: 396, 2: 4} | void
            assert (labels[7:9, 12:14] == 2).all() and (labels[20:25, 10:30] == 1).all()


def test_folders_of_roboflow(root: Path) -> None:
    for part in ("train", "test"):
        (root / part).mkdir()
        coco(root).rename(root / part / "_annotations.coco.json")
        for i in range(COUNT):
            photo(root / part / f"{i}.jpg", i + 20 * len(part))
    train, test = read_segmentation(root)
    assert (train.part, test.part, len(train.maps), len(test.maps)) == ("train", "test", COUNT, COUNT)


def test_a_bad_outline_is_refused_or_void(root: Path) -> None:
    for bad in ([], [[1, 2]], None):
        file = coco(root, segmentation=bad)
        assert "own.json: an object of 2.jpg has" in refusal(file)
        parts = read_segmentation(file, leave_out_bad=True)
        assert sum(part.left_out.get("outlines that are void with their boxes", 0) for part in parts) == 1
        assert sum(part.totals()[255] for part in parts) == 30 + 396
    assert "leave --seg-classes out" in refusal(coco(root), None, root / "classes.txt")


def test_the_study_has_a_segmentation_task(root: Path) -> None:
    out = root / "study"
    text = init_study(Settings(out, seg=coco(root), model="sample", seeds=2))
    assert "Segmentation, own: 8 training and 2 test images, 3 classes.\nRead as COCO JSON." in text
    assert "data/own_seg_maps/train/*.png" in text and "40 epochs, 40 steps" in text
    study = read_study(out / "study.yaml")
    plan = make_plan(study)
    assert [name for name in plan if name.startswith("own_seg")] == [f"own_seg/scratch/seed{i}" for i in (0, 1)]
    assert "figures/4" in plan
    config = Config.fromfile(out / "configs" / "own_seg.py")
    assert config.model.decode_head.num_classes == 3 and config.test_evaluator.boundary == "label"
    with DefaultScope.overwrite_default_scope("mmseg"):
        data = [DATASETS.build(config[f"{part}_dataloader"].dataset) for part in ("train", "test")]
    assert [len(part) for part in data] == [8, 2] and data[0].metainfo["classes"] == ("background", "dog", "cat")
    sample = data[0][0]
    assert sample["data_samples"].gt_sem_seg.data.unique().tolist()[:1] == [0]


@pytest.mark.parametrize("model", ["efficientnet-lite0", "paper", "swin-tiny"])
def test_other_models(root: Path, model: str) -> None:
    out = root / "study"
    text = init_study(Settings(out, seg=root / "masks", model=model))
    config = Config.fromfile(out / "configs" / "own_seg.py")
    assert config.train_cfg.max_iters == config.steps and config.model.decode_head.num_classes == 3
    assert config.train_dataloader.batch_size == 8 and config.default_scope == "mmseg"
    if model != "efficientnet-lite0":
        scratch = Config.fromfile(out / "configs" / "own_seg_scratch.py")
        assert scratch.model.backbone.frozen_stages in (-1, 0) and scratch.sync_bn == "torch"
        assert "own_seg: not timed: the table has no step of it" in text
        assert "not timed: own_seg/" not in text, "said once"
