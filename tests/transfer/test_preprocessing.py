from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from mmdetpre.transfer.checkpoint_reader import Checkpoint
from mmdetpre.transfer.preprocessing import CAFFE, IMAGENET, Preprocessing, differences, from_config, of_checkpoint
from mmdetpre.utils.literal_config import literal_config

PREPROCESSOR = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


@pytest.mark.parametrize(
    "config",
    [
        dict(model=dict(data_preprocessor=dict(bgr_to_rgb=True, **PREPROCESSOR), backbone=dict(type="ResNet"))),
        dict(data_preprocessor=dict(to_rgb=True, **PREPROCESSOR), model=dict(backbone=dict(type="mmdet.ResNet"))),
        dict(
            model=dict(
                data_preprocessor=dict(
                    type="MultiBranchDataPreprocessor", data_preprocessor=dict(bgr_to_rgb=True, **PREPROCESSOR)
                ),
                backbone=dict(type="ResNetV1c", style="pytorch"),
            )
        ),
    ],
)
def test_configs_of_the_toolboxes(config: dict) -> None:
    found = from_config(config)
    assert found is not None and differences(found, IMAGENET) == [] and found.style == "pytorch"
    # The same config as text, as a checkpoint carries it.
    text = Config(config).pretty_text
    assert from_config(literal_config(text)) == found
    checkpoint = Checkpoint("a.pth", "torch", "state_dict", {}, {"cfg": text})
    assert of_checkpoint(checkpoint, "torchvision") == found


def test_differences_name_each_part() -> None:
    found = differences(CAFFE, IMAGENET)
    assert [text.split(":")[0] for text in found] == ["mean", "std", "channel order", "style"]
    assert differences(CAFFE, IMAGENET, bottleneck=False) == found[:3]
    assert differences(None, IMAGENET) == differences(IMAGENET, Preprocessing()) == []
    rounded = Preprocessing((123.68, 116.78, 103.94), IMAGENET.std, "rgb", "pytorch")
    assert differences(rounded, IMAGENET) == []


def test_rules_for_files_that_tell_nothing() -> None:
    def told(source: str, naming: str, *names: str) -> Preprocessing | None:
        return of_checkpoint(Checkpoint(source, "torch", "", {name: torch.ones(1) for name in names}), naming)

    assert told("r50.pkl", "detectron2", "backbone.bottom_up.res2.0.conv1.weight").style == "caffe"
    regnet = told("regnet.pkl", "detectron2", "backbone.bottom_up.s1.b1.f.a.weight")
    assert str(regnet) == "not known (its config says it)"
    assert told("https://host/resnet50_caffe-1.pth", "torchvision").channel_order == "bgr"
    assert told("caffe_folder/resnet50.pth", "torchvision") is None
    for source in ("torchvision://resnet101", "https://download.pytorch.org/models/resnet50-0676ba61.pth"):
        known = told(source, "torchvision")
        assert known is not None and differences(known, IMAGENET) == [] and "torchvision" in known.origin
    assert told("resnet50-0676ba61.pth", "torchvision") is None


def test_no_preprocessor_is_unknown_and_no_normalization_is_known() -> None:
    assert from_config(dict(model=dict(backbone=dict(type="ResNet")))) is None
    found = from_config(dict(model=dict(data_preprocessor=dict(type="ImgDataPreprocessor"))))
    assert found.mean == (0, 0, 0) and found.std == (1, 1, 1) and found.channel_order == "bgr" and found.style is None


def test_config_text_is_never_run(tmp_path) -> None:
    text = f"import os\nos.mkdir({str(tmp_path / 'trap')!r})\n"
    text += "x = os.getcwd()\na = [1, -2.5, (3,), None]\nb = {'c': True}\n"
    assert literal_config(text) == {"x": None, "a": [1, -2.5, (3,), None], "b": {"c": True}}
    assert not (tmp_path / "trap").exists()
    assert literal_config("not python at all (") == {}
