from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mmdetpre.transfer import BackboneInit, BackboneNotLoaded


def test_the_config_changes_what_the_hook_says() -> None:
    start = BackboneInit(policy="warn", backbone="student.backbone")
    assert start.changed_by(None) is start
    changed = start.changed_by({"checkpoint": "a.pth", "policy": "error"})
    assert (changed.checkpoint, changed.policy, changed.backbone) == ("a.pth", "error", "student.backbone")
    named = BackboneInit("a.pth")
    assert named.changed_by({"reset_offsets": True}) == BackboneInit("a.pth", reset_offsets=True)
    assert named.changed_by({"checkpoint": "a.pth"}) == named
    assert BackboneInit().changed_by({"checkpoint": None}).checkpoint is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"chekpoint": "a.pth", "polcy": "warn"}, "has chekpoint, polcy; it is a dictionary of checkpoint, prefix"),
        ("a.pth", "has 'a.pth'; it is a dictionary"),
        ({"checkpoint": "b.pth"}, "custom_hooks names a.pth, backbone_init names b.pth: remove one"),
        ({"policy": "strict"}, "'error', 'warn'"),
    ],
)
def test_bad_settings(config: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BackboneInit("a.pth").changed_by(config)


def test_settings_reach_the_load(resnet: Callable, save: Callable) -> None:
    path = save(resnet().state_dict(), "student.backbone.") and save(
        {
            **resnet(seed=1).state_dict(),
            **{f"teacher.{name}": value for name, value in resnet(seed=2).state_dict().items()},
        },
        "model.",
    )
    module = resnet(seed=0)
    with pytest.raises(BackboneNotLoaded, match="teacher"):
        BackboneInit(path).load(module)
    assert BackboneInit(path, prefix="model.teacher").load(module).good
    assert torch.equal(module.conv1.weight, resnet(seed=2).conv1.weight)
    half = save({name: value for name, value in resnet(seed=3).state_dict().items() if "running" not in name})
    assert BackboneInit(half, policy="warn").load(module).verdict == "incomplete"
    caffe = save(resnet(seed=3).state_dict(), name="caffe.pth")
    bgr = dict(mean=(103.53, 116.28, 123.675), std=(1, 1, 1), channel_order="bgr")
    assert BackboneInit(caffe, preprocessing=bgr).load(module).good
    with pytest.raises(BackboneNotLoaded, match="channel order: file bgr, model rgb"):
        BackboneInit(caffe, preprocessing=bgr | {"channel_order": "rgb"}).load(module)
    rgb = dict(bgr, channel_order="rgb")
    assert BackboneInit(caffe, preprocessing=rgb, check_preprocessing=False).load(module).good
    with pytest.raises(ValueError, match="set backbone_init.checkpoint"):
        BackboneInit().load(module)


def test_a_path_that_the_command_line_split_is_named() -> None:
    with pytest.raises(ValueError, match="comma in a path on the command line makes a list"):
        BackboneInit().changed_by({"checkpoint": ["run", "1.pth"]})
