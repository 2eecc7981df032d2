"""Which model a study has where none is named: that of the weights, and one that the machine can train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import Tensor

from mmdetpre.config_files import find_config
from mmdetpre.study.custom_data.configs import reference_config
from mmdetpre.study.custom_data.models import MODELS
from mmdetpre.study.custom_data.propose_model import propose_model, require_named
from mmdetpre.study.custom_data.step_costs import StepCost, step_costs
from mmdetpre.study.custom_data.summary import describe_cpu, describe_model, fitting_weights
from mmdetpre.transfer.checkpoint_reader import read_checkpoint
from mmdetpre.transfer.compare_weights import described
from mmdetpre.transfer.inspect_backbone import inspect_into
from mmdetpre.transfer.key_map import map_names
from mmdetpre.transfer.toolboxes import build_in_toolbox
from mmdetpre.zoo import zoo_names


def reference(model: str, folder: Path) -> Path:
    choice = MODELS[model]
    if choice.backbone is None:
        return find_config(choice.reference)
    reference_config(choice).write(folder / f"{model}.py")
    return folder / f"{model}.py"


def state_of(model: str, folder: Path) -> dict[str, Tensor]:
    config = Config.fromfile(reference(model, folder))
    return build_in_toolbox("mmdet", config.model.backbone.to_dict()).state_dict()


@pytest.mark.parametrize("model", MODELS)
def test_the_file_of_each_backbone_proposes_its_model(model: str, tmp_path: Path) -> None:
    state = state_of(model, tmp_path)
    form = described(map_names(state, prefix=""), state)
    assert form == MODELS[model].form or form.startswith(f"{MODELS[model].form}, deformable")
    torch.save({f"backbone.{name}": tensor for name, tensor in state.items()}, tmp_path / "own.pth")
    for gpu in (True, False):
        choice, why = propose_model([f"coco={tmp_path / 'own.pth'}"], gpu=gpu)
        assert (choice.name, why) == (model, f"coco holds {form}")


def test_names_of_the_zoo_and_of_torchvision_tell_without_a_network() -> None:
    for model, choice in MODELS.items():
        for entry in fitting_weights(choice):
            assert propose_model([f"a={entry.name}"], gpu=False)[0].name == model
    assert propose_model(["a=torchvision://swin_tiny"], gpu=True)[0].name == "swin-tiny"
    assert propose_model(["a=zoo:vit-small-p14/dinov2", "b=zoo:vit-small-p14/dinov2-timm"], gpu=False)[0].name == (
        "dinov2-small"
    )


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"a=zoo:mobilenet-v2/.* holds weights of mobilenet-v2, which none of --model is: sample"
    ):
        propose_model([f"a={zoo_names('mobilenet-v2')[0]}"], gpu=True)
    with pytest.raises(
        ValueError, match=r"zoo:resnet50/.* holds weights of resnet50; .* holds weights of swin-tiny\. A study compares"
    ):
        propose_model([f"a={zoo_names('resnet50')[0]}", f"b={zoo_names('swin-tiny')[0]}"], gpu=True)
    with pytest.raises(ValueError, match="a=https://host/a.pth does not tell .* give --model, one of sample, paper"):
        propose_model(["a=https://host/a.pth"], gpu=True)
    torch.save({"layer1.0.conv1.weight": torch.ones(8, 8, 3, 3), "conv1.weight": torch.ones(8, 3, 7, 7)},
               tmp_path / "odd.pth")  # fmt: skip
    with pytest.raises(ValueError, match=r"odd\.pth holds ResNet with .*, which none of --model is"):
        propose_model([f"a={tmp_path / 'odd.pth'}"], gpu=True)
    assert propose_model(["a=zoo:resnet5/imagenet"], gpu=True)[0].name == "paper"  # the check tells names that are near
    (tmp_path / "text.pth").write_text("no weights")  # and why a file cannot be read
    assert propose_model([f"a={tmp_path / 'text.pth'}"], gpu=True)[0].name == "paper"
    assert propose_model(["a=https://host/a.pth", "b=zoo:resnet50/imagenet1k-v2"], gpu=True)[0].name == "resnet50"


def test_addresses_of_another_size_of_model_are_refused_before_they_are_fetched() -> None:
    given = ["a=torchvision://resnet50", "b=torchvision://resnet101", "c=https://host/a.pth"]
    require_named([given[0], given[2]], MODELS["resnet50"])
    with pytest.raises(
        ValueError, match="--init b=torchvision://resnet101 holds weights of resnet101, and --model resnet50"
    ):
        require_named(given, MODELS["resnet50"])
    require_named(given, MODELS["sample"])  # that nothing published fits it is said by the check of each


def test_without_weights_the_machine_decides() -> None:
    assert propose_model([], gpu=True)[0].name == "paper"
    small, why = propose_model([], gpu=False)
    assert not small.for_gpus and fitting_weights(small) and why == "there is no GPU"


def test_every_model_says_what_a_step_was_measured_to_cost() -> None:
    assert {model for model, _ in step_costs()} == set(MODELS)
    for name, choice in MODELS.items():
        detection, classification = choice.costs["detection"], choice.costs["classification"]
        assert (detection.items, detection.side) == (choice.detection_amount.batch, choice.chip_size)
        assert classification.items == choice.classification_amount.batch
        assert classification.side == (choice.probe_crop or 224)
        said = describe_model(choice)
        assert f"{detection.seconds:,.3g} s and {detection.gibibytes:.2g} GiB for {detection.items} chips of" in said, (
            name
        )
        assert ("of the zoo can fit" in said) == (choice.zoo is not None)
    fastest = min(MODELS.values(), key=lambda choice: choice.costs["detection"].seconds)
    assert fastest.name == "sample" and "--model" not in describe_model(fastest)
    assert "(--model sample: there is no GPU)." in describe_model(fastest, "there is no GPU")


def test_a_model_for_gpus_on_a_cpu_is_warned_of() -> None:
    assert "--model paper is for GPUs; for a CPU are sample, efficientnet-lite0" in describe_cpu(MODELS["paper"])


def test_tables_of_another_form_are_refused(tmp_path: Path) -> None:
    (tmp_path / "costs.csv").write_text("model,task\n")
    with pytest.raises(ValueError, match="has not the columns model, task, items"):
        step_costs(tmp_path / "costs.csv")
    (tmp_path / "costs.csv").write_text("model,task,items,side,CPU seconds,GiB\nmine,detection,16,512,90,1.5\n")
    assert step_costs(tmp_path / "costs.csv") == {("mine", "detection"): StepCost(16, 512, 90.0, 1.5)}


def test_published_dinov2_fits_and_its_registers_do_not(tmp_path: Path) -> None:
    assert [entry.name for entry in fitting_weights(MODELS["dinov2-small"])] == [
        "zoo:vit-small-p14/dinov2",
        "zoo:vit-small-p14/dinov2-timm",
    ]
    timm = pytest.importorskip("timm")
    config = reference("dinov2-small", tmp_path)
    for name, verdict in {
        "vit_small_patch14_dinov2": "complete",
        "vit_small_patch14_reg4_dinov2": "incomplete",
    }.items():
        state: dict[str, Any] = timm.create_model(name).state_dict()  # the form of the published files
        torch.save(state, tmp_path / f"{name}.pth")
        report, _ = inspect_into(read_checkpoint(tmp_path / f"{name}.pth"), config)
        assert report.verdict == verdict, str(report)
