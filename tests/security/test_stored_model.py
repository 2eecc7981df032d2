"""The config inside a checkpoint is built through one door, which opens for models of the toolboxes only."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

from mmdetpre.config_files import find_config
from mmdetpre.inference.bounded_build import bounded_build
from mmdetpre.inference.build_model import build_model
from mmdetpre.inference.stored_model import (
    HOSTS,
    NOT_FROM_A_FILE,
    OPERATORS,
    StoredModelRefused,
    build_stored_model,
    checked_model,
    registered,
)
from mmdetpre.study.custom_data.init_study import Settings, init_study
from mmdetpre.utils.literal_config import literal_config

GIB = 1 << 30
SAMPLE = find_config("det/sniper_voc_sample.py")


@pytest.fixture(scope="module")
def sample() -> Config:
    return Config.fromfile(SAMPLE)


def attacks(marker: Path) -> dict[str, Callable[[dict], Any]]:
    """Changes of a model's config, each of which runs something, reads a file or fetches where it is just built."""
    run = f"touch {marker}"
    python = f"__import__('os').system('{run}')"
    call = dict(type="os.system", command=run)
    return {
        "backbone": lambda model: model.update(backbone=call),
        "the model itself": lambda model: (model.clear(), model.update(call, roi_head={})),
        "a norm layer": lambda model: model["backbone"].update(norm_cfg=call),
        "a norm layer as a text": lambda model: model["backbone"].update(norm_cfg="os.system"),
        "a convolution": lambda model: model["backbone"].update(conv_cfg=call),
        "an activation": lambda model: model["roi_head"]["bbox_head"].update(act_cfg=call),
        "dcn": lambda model: model["backbone"].update(dcn=call, stage_with_dcn=(True,) * 4),
        "plugins": lambda model: model["backbone"].update(plugins=[dict(cfg=call, stages=(True,) * 4)]),
        "a list of dictionaries": lambda model: model.update(neck=[dict(type="mmdet.FPN"), call]),
        "an assigner": lambda model: model["train_cfg"]["rpn"].update(assigner=call),
        "nested deep": lambda model: model.update(neck=dict(type="FPN", a=[dict(b=(dict(c=call),))])),
        "suppression, which mmcv evaluates": lambda model: model["test_cfg"]["rpn"].update(nms=dict(type=python)),
        "a type that evaluates": lambda model: model.update(
            neck=dict(type="CameraMotionCompensation", warp_mode=python)
        ),
        "a type that evaluates a name": lambda model: model.update(
            neck=dict(type="mmdet.CameraMotionCompensation", warp_mode="exit")
        ),
        "a scope": lambda model: model["backbone"].update(_scope_="os"),
        "a scope in a type": lambda model: model["backbone"].update(type="os.ResNet"),
        "a path as a type": lambda model: model["backbone"].update(type="/tmp/a.ResNet"),
        "a module of one word": lambda model: model["backbone"].update(type="planted"),
        "a class of torch by its place": lambda model: model["backbone"].update(type="torch.hub.load"),
        "a lazy name": lambda model: model["backbone"].update(type=None),
        "a path": lambda model: model["roi_head"].update(super_classes="/etc/passwd"),
        "an address": lambda model: model["roi_head"].update(super_classes="http://127.0.0.1:9/a"),
        "a file of this folder": lambda model: model["roi_head"].update(super_classes="a.json"),
        "a pickle of class weights": lambda model: model["roi_head"]["bbox_head"].update(class_weight="a.pkl"),
        "a config file": lambda model: (
            model.clear(),
            model.update(type="KnowledgeDistillationSingleStageDetector", teacher_config="a", roi_head={}),
        ),
        "a model of a hub": lambda model: model.update(
            backbone=dict(type="mmpretrain.TIMMBackbone", model_name="resnet18", pretrained=True)
        ),
        "code in a word": lambda model: model["backbone"].update(style=python),
        "a template": lambda model: model["backbone"].update(style="{{$HOME:x}}"),
        "a key that is no word": lambda model: model["backbone"].update({"a'b": 1}),
        "bytes": lambda model: model["backbone"].update(style=b"pytorch"),
        "a huge number": lambda model: model["backbone"].update(base_channels=10**12),
        "too deep": lambda model: model.update(neck=nested(40)),
        "too many values": lambda model: model.update(neck=dict(type="FPN", in_channels=[1] * 30_000)),
    }


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("name", attacks(Path()))
def test_attacks_are_refused_before_anything_is_called(
    name: str, sample: Config, marker: Path, watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.py").write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    checked_model(sample.model.to_dict(), "mmdet", "good.pth")  # imports what it needs
    model = sample.model.to_dict()
    attacks(marker)[name](model)
    with pytest.raises(StoredModelRefused, match="not built, and nothing of it was run: model"), watched():
        build_stored_model(dict(model=model, default_scope="mmdet"), "epoch_2.pth", GIB)


@pytest.mark.parametrize("scope", ["os", "mmdet.models", "", 3, ["mmdet"], "mmdet "])
def test_other_scopes_are_refused(scope: Any) -> None:
    with pytest.raises(StoredModelRefused, match="default_scope|_scope_"):
        checked_model(dict(type="ResNet", depth=18), scope or "x", "a.pth")
    with pytest.raises(StoredModelRefused, match="_scope_"):
        checked_model(dict(type="ResNet", depth=18, _scope_=scope), "mmdet", "a.pth")


def test_files_to_begin_from_are_dropped() -> None:
    """Every second checkpoint of the toolboxes names its ImageNet weights; its own come from the checkpoint."""
    fetch = dict(type="Pretrained", checkpoint="torchvision://resnet18")
    model = dict(
        type="ResNet", depth=18, init_cfg=fetch, pretrained="a.pth", norm_cfg=dict(type="BN", init_cfg=[fetch])
    )
    assert checked_model(model, "mmdet", "a.pth") == dict(type="ResNet", depth=18, norm_cfg=dict(type="BN"))


@pytest.mark.parametrize("config", ["det/sniper_imagenet_loc_sample.py", "seg/deeplab_voc_sample.py"])
def test_models_of_ours_pass_and_are_the_same(config: str) -> None:
    cfg = Config.fromfile(find_config(config))
    text = literal_config(cfg.pretty_text)
    found = build_stored_model(text, "a.pth", 2 * GIB)
    theirs = build_model(find_config(config))
    shapes = {name: value.shape for name, value in theirs.model.state_dict().items()}
    assert {name: value.shape for name, value in found.model.state_dict().items()} == shapes
    assert found.preprocessing == theirs.preprocessing


def test_start_of_a_study_with_code_in_its_config(sample: Config, marker: Path, tmp_path: Path) -> None:
    """`study init --init` of a file that loads with weights_only: its weights are used, its config is not built."""
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(6):
            Image.new("RGB", (40, 30), (40 * i, 100 * label, 0)).save(tmp_path / "pets" / name / f"{i}.png")
    built = build_model(SAMPLE)
    for name, value in built.model.named_buffers():  # statistics of a network that has seen images
        if name.endswith("running_mean"):
            value.fill_(0.1)
    for name in ("backbone", "suppression, which mmcv evaluates"):
        model = sample.model.to_dict()
        attacks(marker)[name](model)
        text = f"custom_imports = dict(imports=['planted'])\n_base_ = ['a.py']\nmodel = {model!r}\n"
        torch.save({"state_dict": built.model.state_dict(), "meta": {"cfg": text}}, tmp_path / "a.pth")
        out = tmp_path / f"study {len(name)}"
        start = f"coco={tmp_path / 'a.pth'}"
        said = init_study(Settings(out, cls=tmp_path / "pets", inits=[start], model="sample"))
        assert (
            "its layers cannot be probed: The config in a.pth is not built, and nothing of it was run: model." in said
        )
        assert not list(out.glob("configs/start_*")), "nothing of it is written either"


@pytest.mark.parametrize(
    "text",
    [
        "{{$NOPE:__import__('os').system('touch MARK')}}",
        "model = {{ fileDirname }}",
        "_base_ = ['/etc/passwd']",
        "with read_base():\n    from .x import *\nmodel = dict(type=print)",
        "custom_imports = dict(imports=['antigravity'])",
        "model = dict(type=__import__('os').system)",
        "model = [x for x in ().__class__.__base__.__subclasses__()]",
        "model = f'{1}'",
        "model = " + "-" * 3000 + "1",
        "model = " + "(" * 150 + ")" * 150,
        "model = " + "a." * 3000 + "b",
        "model = " + "1+" * 3000 + "1",
        "x" * (5 << 20),
        "\x00",
        "model = 1e999, 10**10**10",
    ],
)
def test_config_text_is_never_run(text: str, watched, marker: Path) -> None:
    literal_config("a = 1")
    with watched(parses=True):
        found = literal_config(text.replace("MARK", str(marker)))
    model = found.get("model")
    assert model is None or isinstance(model, int | tuple | list) or model == {"type": None}


def test_memory_of_a_model_is_bounded(sample: Config) -> None:
    model = sample.model.to_dict()
    model["backbone"]["base_channels"] = 1 << 14  # a stage of 2**17 channels: terabytes
    with pytest.raises((RuntimeError, MemoryError)):
        build_stored_model(dict(model=model, default_scope="mmdet"), "a.pth", GIB)
    assert torch.zeros(1 << 20).sum() == 0, "and the process goes on"


def test_parts_of_a_model_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    head = dict(type="FCOSHead", num_classes=2, in_channels=8, feat_channels=8, stacked_convs=1 << 19, norm_cfg=None)
    monkeypatch.setattr("mmdetpre.inference.bounded_build.MOST_PARTS", 500)
    with pytest.raises(ValueError, match="more than 500 parts"):
        build_stored_model(dict(model=head, default_scope="mmdet"), "a.pth", GIB)


def test_no_module_of_the_current_folder_is_imported(tmp_path: Path, marker: Path, monkeypatch) -> None:
    """A registry that is asked for an unknown word imports a module of that name."""
    (tmp_path / "planted.py").write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with bounded_build(GIB), DefaultScope.overwrite_default_scope("mmdet"), pytest.raises(KeyError):
        MODELS.build(dict(type="planted"))
    assert "planted" not in sys.modules
    assert not any("NoNewPackages" in type(finder).__name__ for finder in sys.meta_path)


def test_names_are_looked_up_without_importing_them(watched) -> None:
    for name in ("ResNet", "mmdet.ResNet", "mmseg.ResNet", "mmpretrain.ResNet", "mmdetpre.SNIPER", "mmcv.DCN", "BN"):
        assert registered(name, "mmdet"), name
    with watched():
        for name in (
            "os.system",
            "antigravity",
            "mmdet.apis.init_detector",
            "os.ResNet",
            ".ResNet",
            "ResNet.",
            "",
            "a b",
        ):
            assert not registered(name, "mmdet"), name
    assert set(HOSTS) == {"mmengine", "mmcv", "mmdet", "mmseg", "mmpretrain", "mmdetpre"}


REACHES = re.compile(
    r"from_pretrained\(|create_model\(|(?<![\w.])(?:open|eval|exec)\(|(?:torch|np|pickle|mmengine|json|yaml)\.load\("
    r"|import_module\(|subprocess\.|os\.system|Config\.fromfile\(|list_from_file\(|(?<!_)load_checkpoint\(|load_url\("
    r"|CheckpointLoader\.load|get_object_from_string|read_class_list\(|read_json\("
)
INIT_WEIGHTS = re.compile(r"\n    def init_weights\(.*?(?=\n    def |\n    @|\nclass |\Z)", re.DOTALL)
REVIEWED = {
    "mmengine.model.weight_init": "init_cfg, which is dropped",
    "mmdet.models.backbones.detectors_resnet": "pretrained, which is dropped",
    "mmpretrain.utils.dependency": "stands for types whose packages are missing, and raises",
    "mmseg.models.text_encoder.clip_text_encoder": "pretrained, which is dropped",
    "mmdetpre.models.rfcn3000_roi_head": "super_classes and classes as files: paths, which no word is",
}
"""Modules with such a call that a plain word and no `init_cfg` cannot bring about."""


def test_registered_types_that_reach_out_are_known() -> None:
    """The next version of a toolbox may bring another type that evaluates or fetches: then this test says so."""
    for scope in ("mmdet", "mmseg", "mmpretrain"):
        registered("ResNet", scope)
    unknown = {}
    for registry in _below(MODELS):
        for name, kind in registry.module_dict.items():
            module = sys.modules.get(getattr(kind, "__module__", ""))
            if module is None or name in NOT_FROM_A_FILE or module.__name__ in REVIEWED:
                continue
            if not module.__name__.startswith(("mm",)):
                continue  # layers of torch
            source = INIT_WEIGHTS.sub("\n", _without_texts(inspect.getsource(module)))
            if found := REACHES.search(source):
                unknown[f"{module.__name__}.{name}"] = found[0]
    assert not unknown
    assert all(name in OPERATORS or name.isidentifier() for name in OPERATORS)


def _below(registry):
    yield registry
    for child in registry.children.values():
        yield from _below(child)


def _without_texts(source: str) -> str:
    return re.sub(r'""".*?"""|\'\'\'.*?\'\'\'|#[^\n]*|\'[^\'\n]*\'|"[^"\n]*"', "", source, flags=re.DOTALL)
