from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdetpre.datasets.classification.caltech256 import Caltech256
from mmdetpre.sample import World, make_sample, render
from mmdetpre.sample.instances import annotate

FOLDERS = ["001.arrow", "002.hourglass", "003.arch", "004.clover", "257.clutter"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "sample_caltech256"
    return make_sample(root, layout="caltech256", train=22, validation=8, size=(128, 96), progress=False)


def test_names_are_those_of_caltech256(sample: Path) -> None:
    folders = sorted((sample / "256_ObjectCategories").iterdir())
    assert [folder.name for folder in folders] == FOLDERS
    for (
        folder
    ) in folders:  # 22 + 8 images take turns: those of the second split start from scratch with the first class
        files = sorted(path.name for path in folder.iterdir())
        assert files == [f"{folder.name[:3]}_{i:04d}.jpg" for i in range(1, len(files) + 1)]
    assert [len(list(folder.iterdir())) for folder in folders] == [7, 7, 6, 5, 5]
    with Image.open(folders[0] / "001_0001.jpg") as image:
        assert image.mode == "RGB" and image.size == World("target", size=(128, 96)).centered("train", 0, 0).size


def test_our_data_set_reads_it(sample: Path) -> None:
    train, test = (Caltech256(str(sample), split, per_class=4) for split in ("train", "test"))
    assert (len(train), len(test)) == (20, 10)
    assert train.metainfo["classes"] == ("arrow", "hourglass", "arch", "clover", "clutter")
    assert len(Caltech256(str(sample), per_class=4, include_clutter=False)) == 16


def test_the_main_object_is_of_the_class_and_the_largest() -> None:
    world = World("target")
    shares = []
    for i in range(40):
        scene = world.centered("train", i, i % 4)
        assert scene == world.centered("train", i, i % 4)
        main, *others = scene.objects
        assert main.label == i % 4 and all(other.label != i % 4 and other.size < main.size for other in others)
        x1, y1, x2, y2 = annotate(scene, render(scene))[0].box
        shares.append((x2 - x1) * (y2 - y1) / (scene.size[0] * scene.size[1]))
    assert 0.05 < np.median(shares) < 0.4 and min(shares) < 0.06 < 0.25 < max(shares)
    counts = {len(world.centered("train", i, 0).objects) for i in range(40)}
    assert counts == {1, 2, 3, 4}


def test_clutter_shows_nothing() -> None:
    scene = World("target").centered("validation", 3, None)
    assert not scene.objects and (render(scene).owner == -1).all()
    with pytest.raises(ValueError, match="'train', 'validation'"):
        World("target").centered("test", 0, None)
