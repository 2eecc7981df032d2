import logging
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmdetpre.datasets.chips.broken_images import BrokenImages
from mmdetpre.registry import HOOKS
from mmdetpre.study.custom_data.detection_data import DetectionData
from mmdetpre.study.custom_data.init_study import Settings, init_study


def runner(dataset, lines):
    logger = SimpleNamespace(log=lambda level, text: lines.append((level, text)))
    return SimpleNamespace(train_dataloader=SimpleNamespace(dataset=dataset), logger=logger)


def test_broken_images_are_named_at_the_end_of_an_epoch():
    hook, lines = HOOKS.build({"type": "mmdetpre.BrokenImageHook"}), []
    broken = BrokenImages(20, "{}.jpg".format, 10)
    hook.after_train_epoch(runner(SimpleNamespace(broken_images=broken), lines))
    assert not lines
    for image in range(6):
        broken.report(image, "the file is empty")
    hook.after_train_epoch(runner(SimpleNamespace(broken_images=broken), lines))
    level, text = lines[0]
    assert level == logging.WARNING
    assert text.startswith("6 broken images so far (the run stops above 10): 0.jpg, ") and text.endswith("4.jpg, ...")


def test_other_data_sets_are_left_alone():
    lines = []
    HOOKS.build({"type": "mmdetpre.BrokenImageHook"}).after_train_epoch(runner(object(), lines))
    assert not lines


@pytest.fixture(scope="module")
def study(tiny_coco: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of drawn boxes and class folders, as `mmdetpre study init` writes it."""
    import cv2

    root = tmp_path_factory.mktemp("broken")
    for label, name in enumerate(("cat", "dog")):
        (root / "pets" / name).mkdir(parents=True)
        for i in range(6):
            pixels = np.random.default_rng(10 * label + i).integers(0, 256, (40, 40, 3), np.uint8)
            cv2.imwrite(str(root / "pets" / name / f"{i}.jpg"), pixels)
    coco = tiny_coco / "annotations/instances_val2017.json"
    images = tiny_coco / "val2017"
    det = [DetectionData(coco, images)]
    settings = Settings(root / "study", det=det, cls=root / "pets", model="sample", epochs=1)
    init_study(settings)
    return root / "study"


def runner_of(study: Path, name: str, work_dir: Path) -> Runner:
    cfg = Config.fromfile(study / "configs" / f"{name}.py")
    for part in ("train", "val", "test"):
        cfg[f"{part}_dataloader"].update(num_workers=0, persistent_workers=False)
    cfg.work_dir = str(work_dir)
    cfg.train_cfg.val_interval = 1
    return Runner.from_cfg(cfg)


def log_of(runner: Runner) -> str:
    return "".join(path.read_text() for path in Path(runner.log_dir).glob("*.log"))


@pytest.mark.parametrize("name", ["own_cls", "own_det"])
def test_broken_images_are_skipped_in_tests_and_the_results_say_so(study: Path, tmp_path: Path, name: str) -> None:
    sound = runner_of(study, name, tmp_path / "sound")
    data = sound.test_dataloader.dataset
    count, path = len(data), Path(data.get_data_info(0)["img_path"])
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: len(whole) // 2])
        runner = runner_of(study, name, tmp_path / "cut")
        results = runner.test()
        assert results["broken_images"] == 1 and len(runner.test_dataloader.dataset) == count - 1
        text = log_of(runner)
        assert re.search(rf"1 of {count} images of test_dataloader are broken and are skipped: {path} \(", text)
        assert f"The scores are those of {count - 1} images: 1 are broken and were skipped." in text
    finally:
        path.write_bytes(whole)
    assert "broken_images" not in sound.test()


def test_broken_images_to_train_on_are_refused_before_the_first_step(study: Path, tmp_path: Path) -> None:
    path = Path(runner_of(study, "own_cls", tmp_path).train_dataloader.dataset.get_data_info(0)["img_path"])
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match=rf"1 of 8 training images are broken: {path} \(the JPEG is cut off"):
            runner_of(study, "own_cls", tmp_path).train()
    finally:
        path.write_bytes(whole)


def test_validations_of_a_training_skip_them_too(study: Path, tmp_path: Path) -> None:
    path = Path(runner_of(study, "own_cls", tmp_path).test_dataloader.dataset.get_data_info(1)["img_path"])
    whole = path.read_bytes()
    try:
        path.write_bytes(b"")
        runner = runner_of(study, "own_cls", tmp_path / "work")
        runner.train()
        assert f"{path} (the file is empty)" in log_of(runner) and "broken_images: 1" in log_of(runner)
    finally:
        path.write_bytes(whole)
