from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmdetpre.backbones.config_runner import ConfigRunner
from mmdetpre.compat.toolbox_commands import training_command
from mmdetpre.utils.read_config import move_data, read_config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path for path in ROOT.glob("configs/*/*.py") if "_base_" not in path.parts)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_one_key_moves_all_data_of_every_config(path: Path) -> None:
    before = Config.fromfile(path, import_custom_modules=False)
    assert before.data_root == before.default_data_root and before.runner_type == "mmdetpre.ConfigRunner"
    after = read_config(path, {"data_root": "/big/data"})
    old = [text for text in texts(before.to_dict()) if text.startswith("data/")]
    parts = {key: value for key, value in after.items() if key.endswith(("_dataloader", "_evaluator"))}
    assert [text for text in texts(parts) if text.startswith("data/")] == []
    moved = [text for text in texts(parts) if text.startswith("/big/data")]
    root = before.data_root.rstrip("/")
    assert len(moved) > 0 and all(f"{root}{text.removeprefix('/big/data')}" in {t.rstrip("/") for t in old} | set(old)
                                  for text in moved)  # fmt: skip


def test_what_was_changed_one_by_one_stays_and_moving_twice_is_moving_once() -> None:
    options = {"data_root": "data/coco/2017", "val_dataloader.dataset.data_root": "/elsewhere"}
    cfg = read_config(ROOT / "configs/det/sniper_coco.py", options)
    move_data(cfg)
    assert cfg.train_dataloader.dataset.dataset.data_root == "data/coco/2017/"
    assert cfg.val_evaluator.ann_file == "data/coco/2017/annotations/instances_val2017.json"
    assert cfg.val_dataloader.dataset.data_root == "/elsewhere"


def test_a_derived_config_moves_its_data_too(tmp_path: Path) -> None:
    base = ROOT / "configs/seg/deeplab_voc.py"
    (tmp_path / "mine.py").write_text(f"_base_ = {str(base)!r}\ndata_root = '/mine'\n")
    assert read_config(tmp_path / "mine.py").train_dataloader.dataset.data_root == "/mine/"


def hooks(runner: Runner) -> list[str]:
    return [type(hook).__name__ for hook in runner.hooks]


@pytest.fixture
def built(sample_config: Callable[..., Config], tmp_path: Path):
    """Function that gives the runner of the sample's config, changed by a derived config and by options."""

    def build(text: str = "", **options: object) -> Runner:
        cfg = sample_config(experiment_name=tmp_path.name)
        if text:
            (tmp_path / "derived.py").write_text(f"_base_ = {cfg.filename!r}\n{text}\n")
            derived = Config.fromfile(tmp_path / "derived.py")
            cfg.merge_from_dict({key: derived[key] for key in ("default_hooks", "custom_hooks")})
        cfg.merge_from_dict(options)
        return RUNNERS.build(cfg)

    return build


def test_a_hook_of_the_user_is_added_to_ours(built: Callable[..., Runner]) -> None:
    ours = hooks(built())
    assert isinstance(built(), ConfigRunner)
    assert {"LoadBackboneHook", "ExportBackboneHook", "ExactResumeHook", "FiniteLossHook"} <= set(ours)
    assert sorted(hooks(built('custom_hooks = [dict(type="EMAHook")]'))) == sorted([*ours, "EMAHook"])
    added = {"default_hooks.mine.type": "EMAHook", "default_hooks.mine.momentum": 0.01}  # as --cfg-options says it
    assert sorted(hooks(built(**added))) == sorted([*ours, "EMAHook"])


def test_hooks_are_taken_out_by_name(built: Callable[..., Runner]) -> None:
    ours = hooks(built())
    left = hooks(built(**{"default_hooks.export_backbone": None, "default_hooks.timer": None}))
    assert sorted([*left, "ExportBackboneHook", "IterTimerHook"]) == sorted(ours)


def test_an_initialization_brings_its_changes(built: Callable[..., Runner]) -> None:
    changes = {"model.backbone.frozen_stages": 2, "default_hooks.timer": None}
    runner = built(backbone_init="scratch", backbone_inits=dict(scratch=dict(checkpoint=None, changes=changes)))
    assert runner.model.backbone.frozen_stages == runner.cfg.model.backbone.frozen_stages == 2
    assert "IterTimerHook" not in hooks(runner)


def test_stages_that_are_not_trained_are_frozen_before_anything_wraps_the_model(built: Callable[..., Runner]) -> None:
    runner = built(trainable_stages=1)
    trained = {name.split(".")[0] for name, one in runner.model.backbone.named_parameters() if one.requires_grad}
    assert trained == {"layer4"} and any(one.requires_grad for one in runner.model.rpn_head.parameters())
    runner.model.train()
    assert runner.model.training and not runner.model.backbone.layer3.training and runner.model.backbone.layer4.training
    with pytest.raises(ValueError, match="trainable_stages is 9: give the number of last stages to train"):
        built(trainable_stages=9)


def test_hooks_that_an_old_config_repeats_run_once(built: Callable[..., Runner]) -> None:
    text = 'custom_hooks = [dict(type="mmdetpre.ExportBackboneHook", policy="error"), dict(type="EMAHook")]'
    runner = built(text)
    exports = [hook for hook in runner.hooks if type(hook).__name__ == "ExportBackboneHook"]
    assert [hook.policy for hook in exports] == ["error"]
    assert "custom_hooks repeat export_backbone of default_hooks" in Path(runner.logger.log_file).read_text()


@pytest.mark.slow
def test_mim_train_takes_data_from_elsewhere(tiny_sample: Path, tmp_path: Path, run_warm: Callable) -> None:
    config = ROOT / "configs/det/sniper_openimages_sample.py"
    options = [f"data_root={tiny_sample}", "train_dataloader.dataset.dataset.max_images=4", "train_cfg.max_epochs=1"]
    command = training_command("mmdet", config, "--work-dir", tmp_path / "work", "--cfg-options", *options)
    done = run_warm(command, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{tiny_sample}/annotations/train-annotations-bbox.csv" in done.stdout
    dumped = Config.fromfile(tmp_path / "work" / config.name)
    assert dumped.data_root == dumped.default_data_root == str(tiny_sample)
