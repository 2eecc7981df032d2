"""Every full-size config trains and tests a narrow copy of its model, in batches of all sizes that its loaders give."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FOLDERS = ("cls", "det", "seg")


def full_size(folder: str) -> list[Path]:
    return [path for path in sorted((CONFIGS / folder).glob("*.py")) if not path.stem.endswith("_sample")]


def test_the_sizes_are_those_that_once_stopped(narrow_config: ModuleType) -> None:
    def sizes(name: str, part: str) -> set[int]:
        return narrow_config.batch_sizes(Config.fromfile(CONFIGS / f"cls/{name}.py"), part)

    assert sizes("caltech256", "train") == {64, 60, 8} and sizes("caltech256", "val") == {64, 19, 43}
    assert sizes("flowers102", "train") == {64, 56, 63} and sizes("flowers102", "test") == {64, 5, 1}
    assert sizes("sun397", "train") == {64, 10, 50}
    assert narrow_config.mask_out_batches() == {8, 4, 64, 36}
    detector = Config.fromfile(CONFIGS / "det/sniper_voc.py")
    assert [narrow_config.batch_sizes(detector, part) for part in ("train", "val")] == [{16, 1}, {1}]


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_config_trains_and_tests_a_batch_of_each_size(folder: str, narrow_config: ModuleType) -> None:
    work = dict.fromkeys(case for path in full_size(folder) for case in narrow_config.cases(Config.fromfile(path)))
    steps = [step for step, _, _ in work]
    assert steps.count("train") >= 3 and steps.count("test") >= 2
    for step, key, images in sorted(work, key=lambda case: case[1]):
        narrow_config.run_case(step, key, images)


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_task_has_a_twin_with_deformable_conv5(folder: str) -> None:
    full = Config.fromfile(CONFIGS / "det/sniper_coco.py").model.backbone
    twins = [Config.fromfile(path).model.backbone for path in sorted((CONFIGS / folder).glob("*_sample.py"))]
    found = [backbone for backbone in twins if backbone.get("dcn")]
    assert found
    for backbone in found:
        assert (backbone.dcn, backbone.stage_with_dcn) == (full.dcn, full.stage_with_dcn)
