"""Starts of a user's study: files are checked against the model before anything is written."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save

from mmdetpre.config_files import find_config
from mmdetpre.inference.build_model import ConfigModel, build_model
from mmdetpre.study.custom_data.init_study import Settings, init_study
from mmdetpre.study.custom_data.inits import OwnInit, read_own_inits
from mmdetpre.study.custom_data.models import MODELS
from mmdetpre.study.custom_data.summary import describe_inits, fitting_weights
from mmdetpre.study.plan import make_plan
from mmdetpre.study.spec import read_study

SAMPLE = find_config("det/sniper_voc_sample.py")


@pytest.fixture(scope="module")
def detector() -> ConfigModel:
    built = build_model(SAMPLE)
    for name, value in built.model.named_buffers():  # statistics of a network that has seen images
        if name.endswith("running_mean"):
            value.normal_(generator=torch.Generator().manual_seed(0))
    return built


@pytest.fixture
def backbone(detector: ConfigModel, tmp_path: Path) -> Path:
    torch.save({"state_dict": detector.model.backbone.state_dict()}, tmp_path / "backbone.pth")
    return tmp_path / "backbone.pth"


@pytest.fixture
def whole(detector: ConfigModel, tmp_path: Path) -> Path:
    content = {"state_dict": detector.model.state_dict(), "meta": {"cfg": detector.cfg.pretty_text}}
    torch.save(content, tmp_path / "epoch_2.pth")
    return tmp_path / "epoch_2.pth"


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(6):
            Image.new("RGB", (40, 30), (40 * i, 100 * label, 0)).save(tmp_path / "pets" / name / f"{i}.png")
    return tmp_path / "pets"


def init(argument: str, config: Path = SAMPLE, **options: Any) -> OwnInit:
    (found,) = read_own_inits([argument], config, **options)
    return found


def refused(*arguments: str, kind: type[Exception] = ValueError, **options: Any) -> str:
    with pytest.raises(kind) as error:
        read_own_inits(arguments, SAMPLE, **options)
    return str(error.value)


def test_a_backbone_that_fits(backbone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(backbone.parent)
    found = init("coco=backbone.pth")
    assert (found.title, found.checkpoint, found.detector) == ("coco (backbone.pth)", str(backbone), None)
    assert init(f"openimages={backbone}").title == "openimages (backbone.pth)"  # never OpenImagesV4


def test_a_whole_detector_gives_table_7(whole: Path, pets: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    text = init_study(Settings(out, cls=pets, inits=[f"coco={whole}"], model="sample"))
    assert "a whole detector, its layers are probed too" in text
    alone = describe_inits(read_own_inits([f"coco={whole}"], SAMPLE), MODELS["sample"], probed=False)
    assert alone.endswith("a whole detector"), "without images by class nothing is probed"
    plan = make_plan(read_study(out / "study.yaml"))
    assert plan["own_cls_layers/coco"].settings["model_config"] == str(out / "configs" / "init_coco.py")
    assert plan["own_cls_linear/coco"].settings["crop"] == 96
    model = build_model(out / "configs" / "init_coco.py").model
    model.load_state_dict(torch.load(whole, weights_only=True)["state_dict"])


def test_nothing_of_the_config_in_a_checkpoint_is_executed(detector: ConfigModel, tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    text = detector.cfg.pretty_text + f"\nmodel['x'] = open({str(trap)!r}, 'w')\n"
    torch.save({"state_dict": detector.model.state_dict(), "meta": {"cfg": text}}, tmp_path / "a.pth")
    assert init(f"coco={tmp_path / 'a.pth'}").detector is not None and not trap.exists()


def test_a_detector_without_the_layers_of_table_7_is_a_backbone_only(detector: ConfigModel, tmp_path: Path) -> None:
    text = detector.cfg.pretty_text.replace("mmdetpre.ChipRoIHead", "StandardRoIHead")
    torch.save({"state_dict": detector.model.state_dict(), "meta": {"cfg": text}}, tmp_path / "a.pth")
    found = init(f"coco={tmp_path / 'a.pth'}")
    assert found.detector is None and "a detector, but its layers cannot be probed: " in found.found


def test_files_that_do_not_fit_are_refused_before_anything_is_written(backbone: Path, pets: Path) -> None:
    out = backbone.parent / "study"
    with pytest.raises(ValueError, match="does not fit the backbone of this --model, mmdet.ResNet") as error:
        init_study(Settings(out, cls=pets, inits=[f"coco={backbone}"], model="paper"))
    assert "wrong depth" in str(error.value) and not out.exists()


def test_bad_starts_are_named(backbone: Path, tmp_path: Path) -> None:
    assert "not of the form KEY=FILE" in refused("backbone.pth")
    assert "is not of small letters" in refused(f"Big Net={backbone}")
    assert "every study has" in refused(f"scratch={backbone}")
    assert "another initialization is called 'a'" in refused(f"a={backbone}", f"a={backbone}")
    assert "a comma in a path" in refused("a=x,y.pth")
    assert "there is no file" in refused(f"a={tmp_path / 'none.pth'}", kind=FileNotFoundError)
    (tmp_path / "text.pth").write_text("no weights")
    assert "does not fit" in refused(f"a={tmp_path / 'text.pth'}")
    torch.save({"state_dict": {"fc.weight": torch.zeros(2, 2)}}, tmp_path / "head.pth")
    assert "does not fit" in refused(f"a={tmp_path / 'head.pth'}")


@pytest.mark.parametrize(
    "keys,expected",
    [
        ([], ("scratch", "scratch")),
        (["coco"], ("scratch", "coco")),
        (["coco", "imagenet_cls"], ("imagenet_cls", "coco")),
        (["a", "b", "c"], ("a", "c")),
    ],
)
def test_two_different_starts_are_compared(backbone: Path, pets: Path, keys: list[str], expected: tuple) -> None:
    out = backbone.parent / "study"
    init_study(Settings(out, cls=pets, inits=[f"{key}={backbone}" for key in keys], model="sample"))
    study = read_study(out / "study.yaml")
    assert (study.reference, study.contrast) == expected


def test_addresses_are_left_to_the_study(pets: Path, tmp_path: Path) -> None:
    assert "does not fit --model sample" in refused("imagenet_cls=torchvision://resnet101", published=False)
    out = tmp_path / "study"
    init_study(Settings(out, cls=pets, inits=["imagenet_cls=torchvision://resnet101"], model="paper"))
    content = yaml.safe_load((out / "study.yaml").read_text())
    assert content["inits"]["imagenet_cls"] == {
        "title": "imagenet_cls (resnet101)",
        "checkpoint": "torchvision://resnet101",
    }
    assert content["reference"] == "scratch"


def test_a_file_of_the_zoo_is_checked_at_once(pets: Path, tmp_path: Path) -> None:
    name, out = "zoo:efficientnet-lite0/imagenet", tmp_path / "study"
    init_study(Settings(out, cls=pets, inits=[f"imagenet_cls={name}"], model="efficientnet-lite0"))
    content = yaml.safe_load((out / "study.yaml").read_text())
    assert content["inits"]["imagenet_cls"] == {
        "title": "imagenet_cls (efficientnet-lite0/imagenet)",
        "checkpoint": name,
    }
    for model, said in (("swin-tiny", "mmdetpre.SwinTransformer"), ("sample", "does not fit --model sample")):
        with pytest.raises(ValueError, match=said):
            init_study(Settings(tmp_path / "other", cls=pets, inits=[f"imagenet_cls={name}"], model=model))
    with pytest.raises(ValueError, match="near are zoo:efficientnet-lite0/imagenet,"):
        init_study(Settings(tmp_path / "other", cls=pets, inits=["a=zoo:efficientnet-lite/imagenet"], model="paper"))
    assert not (tmp_path / "other").exists()


def test_a_repository_of_the_hub_is_checked_at_once(
    detector: ConfigModel, pets: Path, tmp_path: Path, fake_hub: Any
) -> None:
    state = {name: tensor.contiguous() for name, tensor in detector.model.backbone.state_dict().items()}
    fake_hub.add("lab/r18", {"model.safetensors": save(state), "both.safetensors": save(state)})
    out, name = tmp_path / "study", "hf://lab/r18/both.safetensors@main"
    init_study(Settings(out, cls=pets, inits=[f"coco={name}"], model="sample"))
    content = yaml.safe_load((out / "study.yaml").read_text())
    assert content["inits"]["coco"] == {"title": "coco (lab/r18/both.safetensors@main)", "checkpoint": name}
    for wrong, said in (("hf://lab/r18@v9", "has no revision 'v9'"), ("hf://lab", "is not of the form hf://USER/REPO")):
        with pytest.raises(ValueError, match=said):
            init_study(Settings(tmp_path / "other", cls=pets, inits=[f"coco={wrong}"], model="sample"))
    assert not (tmp_path / "other").exists()


def test_without_an_init_those_that_can_be_had_are_listed(pets: Path, tmp_path: Path) -> None:
    text = init_study(Settings(tmp_path / "a", cls=pets, model="resnet50"))
    assert "zoo:resnet50/openimages-faster-rcnn  (Open Images v6, detection (box AP 51.6); Apache-2.0)" in text
    assert "zoo:resnet101" not in text and "of your own: any file with this backbone" in text
    assert "zoo:resnet101/imagenet1k-v2" in init_study(Settings(tmp_path / "b", cls=pets, model="paper"))
    text = init_study(Settings(tmp_path / "c", cls=pets, model="sample"))
    assert "zoo:" not in text and "weights of a *_sample config" in text
    lite = [entry.name for entry in fitting_weights(MODELS["efficientnet-lite0"])]
    assert "zoo:efficientnet-lite0/imagenet" in lite and "zoo:efficientnet-lite0/imagenet1k-timm-ra" not in lite


def test_prefix_and_entry_choose_among_several_backbones(detector: ConfigModel, pets: Path, tmp_path: Path) -> None:
    state = detector.model.backbone.state_dict()
    teacher = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    both = {f"student.backbone.{k}": v for k, v in state.items()}
    both |= {f"teacher.backbone.{k}": v for k, v in teacher.items()}
    odd = tmp_path / "lr=0.1:a" / "last:prefix.pth"
    odd.parent.mkdir()
    torch.save({"raw": both, "averaged": both}, odd)

    advised = refused(f"coco={odd}")
    assert "entry='raw', of raw, averaged" in advised and f"--init {shlex.quote(f'coco={odd}:entry=raw')}" in advised
    assert f"coco={odd}:entry=raw:prefix=student.backbone." in refused(f"coco={odd}:entry=raw")
    out = tmp_path / "study"
    text = init_study(Settings(out, cls=pets, inits=[f"coco={odd}:prefix=teacher.backbone:entry=raw"], model="sample"))
    assert "120 tensors" in text
    content = yaml.safe_load((out / "study.yaml").read_text())
    assert content["inits"]["coco"] == {
        "title": f"coco ({odd.name})",
        "checkpoint": "weights/init_coco.pth",
    }
    written = torch.load(out / "weights" / "init_coco.pth", weights_only=True)["state_dict"]
    assert all(torch.equal(written[name], tensor) for name, tensor in teacher.items())
    settings = make_plan(read_study(out / "study.yaml"))["own_cls_linear/coco"].settings
    assert settings["backbone"] == str(out / "weights" / "init_coco.pth")


def test_a_file_of_such_a_name_is_never_taken_apart(backbone: Path) -> None:
    odd = backbone.parent / "a.pth:prefix=x"
    backbone.rename(odd)
    found = init(f"coco={odd}")
    assert found.checkpoint == str(odd) and found.part is None


def test_an_address_with_a_prefix_advises_the_export(tmp_path: Path) -> None:
    said = refused("a=https://example.org/a.pth:prefix=teacher.backbone")
    assert (
        "mmdetpre export https://example.org/a.pth backbone.pth --prefix teacher.backbone" in said
        and "--init a=backbone.pth" in said
    )
