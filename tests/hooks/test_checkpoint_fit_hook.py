"""Tests and resumed runs refuse a checkpoint of other classes; training from one goes on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from mmdetpre.hooks import CheckpointFitHook
from mmdetpre.models import MultiScaleTTA


class Head(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.num_classes = classes
        self.fc_cls = nn.Linear(2, classes + 1)


class Detector(nn.Module):
    def __init__(self, classes=8):
        super().__init__()
        self.bbox_head = Head(classes)

    def test_step(self, data):
        raise NotImplementedError


def runner(model, loop, resume=False, classes=None):
    dataset = SimpleNamespace(metainfo=dict(classes=classes))
    tests = SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))
    lines = []
    return SimpleNamespace(
        model=model,
        lines=lines,
        logger=SimpleNamespace(warning=lines.append),
        _train_loop=loop,
        _test_loop=tests,
        _val_loop=dict(),
        _resume=resume,
        _load_from="a.pth",
    )


TRAINING = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
CHECKPOINT = dict(state_dict=Detector(20).state_dict())


@pytest.mark.parametrize("model", [Detector(), MultiScaleTTA(Detector())], ids=["plain", "multi-scale"])
@pytest.mark.parametrize("loop, resume", [(dict(), False), (None, False), (TRAINING, True)])
def test_refused(model, loop, resume):
    with pytest.raises(ValueError, match=r"a.pth was trained for 20 classes, the config asks for 8: bbox_head.fc_cls"):
        CheckpointFitHook().after_load_checkpoint(runner(model, loop, resume), CHECKPOINT)


@pytest.mark.parametrize("model", [Detector(), MultiScaleTTA(Detector())], ids=["plain", "multi-scale"])
@pytest.mark.parametrize("loop, resume", [(dict(), False), (TRAINING, True)])
def test_a_checkpoint_without_the_head_is_refused(model, loop, resume):
    with pytest.raises(ValueError, match="a.pth lacks 2 of the 2 weights of this model, e.g. bbox_head.fc_cls.weight"):
        CheckpointFitHook().after_load_checkpoint(runner(model, loop, resume), dict(state_dict={}))
    CheckpointFitHook().after_load_checkpoint(runner(model, TRAINING), dict(state_dict={}))


@pytest.mark.parametrize("loop, resume", [(dict(), False), (TRAINING, True)])
def test_averaged_weights_pass(loop, resume):
    """What ``EMAHook`` writes, before and after it swaps the averaged weights back."""
    model = Detector()
    run = runner(model, loop, resume)
    hook = EMAHook()
    run.logger.info = run.lines.append
    hook.before_run(run)
    checkpoint = dict(state_dict=model.state_dict())
    hook.before_save_checkpoint(run, checkpoint)
    assert "ema_state_dict" in checkpoint
    CheckpointFitHook().after_load_checkpoint(run, checkpoint)
    hook.after_load_checkpoint(run, checkpoint)
    CheckpointFitHook().after_load_checkpoint(run, checkpoint)


def test_training_may_begin_from_other_classes():
    CheckpointFitHook().after_load_checkpoint(runner(Detector(), TRAINING), CHECKPOINT)


def test_classes_of_other_names_are_warned_of():
    checkpoint = dict(state_dict=Detector(3).state_dict(), meta=dict(dataset_meta=dict(classes=("cat", "dog", "owl"))))
    for classes, expected in (
        (["cat", "owl", "dog"], "class 1 is 'dog' there and 'owl' here"),
        (["cat", "dog", "owl"], ""),
    ):
        run = runner(Detector(3), dict(), classes=classes)
        CheckpointFitHook().after_load_checkpoint(run, checkpoint)
        assert expected in "".join(run.lines) and len(run.lines) == bool(expected)


def test_a_real_test_run_stops(sample_config, tmp_path):
    cfg = sample_config()
    runner = Runner.from_cfg(cfg)
    torch.save(dict(state_dict=runner.model.state_dict(), meta={}), tmp_path / "eight.pth")
    cfg = sample_config(model__roi_head__bbox_head__num_classes=4, load_from=str(tmp_path / "eight.pth"))
    cfg.experiment_name = "four_classes"
    with pytest.raises(ValueError, match="eight.pth was trained for 8 classes, the config asks for 4"):
        Runner.from_cfg(cfg).test()


def test_training_on_data_of_another_class_count_stops(sample_config):
    cfg = sample_config(model__roi_head__bbox_head__num_classes=4)
    with pytest.raises(ValueError, match=r"8 classes \(Disc, .*\), but model.roi_head.bbox_head.num_classes is 4. Set"):
        Runner.from_cfg(cfg).train()
