"""What a training of the real configs shows on the console, and what stands in its log file."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module(force=True)
class UsersHook(Hook):
    """A hook as a user writes it."""

    def after_train_epoch(self, runner: Runner) -> None:
        runner.logger.info(f"my hook was here at {runner.iter}")
        print_log("and says so", "current")


def short(sample_config: Callable[..., Config], **options: object) -> Config:
    """The sample's training: two epochs, each shorter than the interval of mmengine's LoggerHook."""
    settings = {
        "train_dataloader__batch_size": 8,
        "train_dataloader__dataset__dataset__max_images": 4,
        "train_cfg": dict(max_epochs=2, val_interval=2),
        "default_hooks__logger__interval": 50,
        "default_hooks__logger__seconds": 1e9,
    }
    return sample_config(**(settings | options))


@pytest.fixture
def shown(sample_config: Callable[..., Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Function that trains and gives the lines of the console and the text of the log file."""

    def train(**options: object) -> tuple[list[str], str]:
        cfg = short(sample_config, **options)
        cfg.custom_hooks.append(dict(type="UsersHook"))
        capsys.readouterr()
        runner = Runner.from_cfg(cfg)
        runner.train()
        output, errors = capsys.readouterr()
        log = Path(runner.logger.log_file).read_text()
        return (output + errors).splitlines(), log

    return train


def test_a_training_shows_what_matters(shown: Callable, tmp_path: Path) -> None:
    factory = logging.getLogRecordFactory()
    lines, log = shown(experiment_name=f"{tmp_path.name}_brief")
    text = "\n".join(lines)
    assert len(lines) <= 30, text
    for words in (
        r"Training SNIPER on ResNet-18: \d\.\d M parameters; CPU, 1 thread\n",
        r"Data: ChipDataset of PackedOpenImagesDataset, 4 images of 8 classes, .*bbox.csv",
        r"Chips: \d+ of 128 pixels in this epoch, \d+ at 192x256, \d+ at 120x128",
        r"Initialization: from scratch",
        r"Length: 2 epochs, \d+ steps, 8 chips each; validation on 6 images every 2 epochs",
        r"Operators: (torchvision|mmcv, compiled with) ",
        r"Log: .*\.log",
        r"epoch 1/2, step \d+/\d+: loss \d+\.\d+ \(rpn_cls .*\), lr [\d.e-]+, \d+ s left",
        r"epoch 2/2, step \d+/\d+: loss ",
        r"Scores after epoch 2: openimages/AP50 \d\.\d+.* \(6 images, \d+ s\)",
        r"Written to .*work: .*backbone_final\.pth, .*epoch_2\.pth",
        r"my hook was here at \d+",
        r"and says so",
    ):
        assert re.search(words, text), (words, text)
    for noise in ("System environment", "max_keep_ckpts", "VERY_HIGH", "Exp name", "deprecated", "\r", "it/s", "\x1b"):
        assert noise not in text, (noise, text)
    for words in ("System environment", "max_keep_ckpts=3", "(VERY_HIGH   ) ExactResumeHook", "Exp name", "epoch 1/2"):
        assert words in log, "the file has everything"
    assert text.count("Operators: ") == log.count("Operators: ") == 1
    assert logging.getLogRecordFactory() is factory


def test_full_gives_everything_back(shown: Callable, tmp_path: Path) -> None:
    lines, log = shown(experiment_name=f"{tmp_path.name}_full", log_processor__console="full")
    text = "\n".join(lines)
    assert len(lines) > 400 and "System environment" in text and "VERY_HIGH" in text and "Exp name" in text
    assert "epoch 1/2" not in text + log, "mmengine's lines only"


def test_an_unknown_console_is_refused(sample_config: Callable) -> None:
    with pytest.raises(ValueError, match="log_processor.console to 'brief' or 'full'"):
        Runner.from_cfg(short(sample_config, log_processor__console="quiet"))


def test_with_mmengines_own_logger_hook_its_lines_are_shown(shown: Callable, tmp_path: Path) -> None:
    lines, _ = shown(
        experiment_name=f"{tmp_path.name}_theirs",
        default_hooks__logger=dict(type="LoggerHook", interval=1, _delete_=True),
    )
    text = "\n".join(lines)
    assert "Epoch(train) [1]" in text and "Epoch(val) [2]" in text and "System environment" not in text
