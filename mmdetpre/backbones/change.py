"""A config on another backbone: the module and all that follows from it, in one place.

``--cfg-options model.backbone.name=swin_tiny``, or the same key in a config of two lines, changes the module, the
channels and strides that neck and heads expect, preprocessing, optimizer, and the file that ``imagenet_cls`` stands
for. What the config says of its present backbone as a choice stays: frozen stages, statistics of batch normalization,
stages that are read.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mmengine.config import Config

from mmdetpre.backbones.table import Backbone, named_backbone
from mmdetpre.transfer.backbone_init import CHANGES, apply_changes
from mmdetpre.utils.stages import STAGES

IMAGES = 16
"""Images a step that the tables' learning rates are for."""
PYRAMID = (4, 8, 16, 32)
"""Strides of the maps of the stages that a pyramid reads, in pixels."""


def with_chosen_backbone(config: Config) -> Config:
    """The config as its keys choose the model: changed for ``backbone_init``, and to ``model.backbone.name``.

    The key ``focus_head`` of ``_base_/models/autofocus.py`` gives a detector that branch.

    Args:
        config: Of mmdet, mmsegmentation or mmpretrain; a new one is returned.

    Raises:
        ValueError: If a name is not known or not to be had, or the model is not one whose backbone can be changed.

    Example:
        >>> from mmdetpre.config_files import find_config
        >>> config = Config.fromfile(find_config("sniper_voc"))
        >>> config.merge_from_dict({"backbone_init": "scratch"})
        >>> with_chosen_backbone(config).model.backbone.frozen_stages
        -1
    """
    config = copy.deepcopy(config)
    apply_changes(config)
    _add_focus_head(config)
    backbone = _inner(config.get("model")).get("backbone")
    if not isinstance(backbone, dict) or "name" not in backbone:
        return config
    return on_backbone(config, named_backbone(backbone["name"]))


def on_backbone(config: Config, new: Backbone) -> Config:
    """A copy of the config with another backbone.

    Args:
        config: Of mmdet, mmsegmentation or mmpretrain, on a ResNet.
        new: The backbone.

    Raises:
        ValueError: If the model is not one whose backbone can be changed by name.

    Example:
        >>> from mmdetpre.config_files import find_config
        >>> config = Config.fromfile(find_config("sniper_coco"))
        >>> on_backbone(config, named_backbone("swin_tiny")).model.neck.in_channels
        [384, 768]
    """
    config = copy.deepcopy(config)
    model = _inner(config.model)
    old = model.backbone
    if "ResNe" not in str(old.get("type")):
        raise ValueError(
            f"model.backbone.name changes the ResNet of a config, and this one has {old.get('type')}: take the config"
            " that it is derived from."
        )
    frozen = int(old.get("frozen_stages", -1))
    module = dict(copy.deepcopy(dict(new.backbone)), frozen_stages=new.frozen(frozen))
    if new.norm_eval:
        module["norm_eval"] = old.get("norm_eval", True)
    stages = _kind(model)(model, module, new, tuple(old.get("out_indices", range(STAGES))))
    module["out_indices"] = [new.out_indices[stage] for stage in stages]
    model.backbone = module
    _prepare(model.get("data_preprocessor") or config.get("data_preprocessor"), new, config.get("default_scope"))
    if new.optim_wrapper is not None and frozen < STAGES and config.get("optim_wrapper"):
        _optimize(config, new)
    _initialize(config, old, new)
    return config


def _inner(model: Any) -> Any:
    """The model itself: test-time augmentation wraps it."""
    while isinstance(model, dict) and isinstance(model.get("module"), dict):
        model = model["module"]
    return model if isinstance(model, dict) else {}


def _add_focus_head(config: Config) -> None:
    """Make the detector one with the branch that the config names, see `mmdetpre.models.AutoFocus`."""
    model, head = _inner(config.get("model")), config.get("focus_head")
    if head is not None and not str(model.get("type")).endswith("AutoFocus"):
        model.update(type="mmdetpre.AutoFocus", detector=model["type"], focus_head=copy.deepcopy(head))


def _kind(model: Any) -> Callable[[Any, dict, Backbone, Sequence[int]], Sequence[int]]:
    neck = model.get("neck") or {}
    head = model.get("decode_head")
    if isinstance(neck, dict) and str(neck.get("type")).endswith("ConcatNeck"):
        return _single_map_detector
    if isinstance(neck, dict) and isinstance(neck.get("in_channels"), list | tuple):
        return _pyramid_detector
    if isinstance(head, dict) and not neck and not model.get("auxiliary_head"):
        return _segmentor
    if str(model.get("type")).endswith("ImageClassifier"):
        return _classifier
    raise ValueError(
        f"model.backbone.name does not know how to change the backbone of {model.get('type')} with the neck"
        f" {neck.get('type') if isinstance(neck, dict) else neck}: it knows detectors with ConcatNeck or a pyramid such"
        " as FPN, segmentors with one decode_head on the last map, and ImageClassifier. Write the backbone, and the"
        " channels of neck and heads, into a config of your own."
    )


def _single_map_detector(model: Any, module: dict, new: Backbone, stages: Sequence[int]) -> Sequence[int]:
    """SNIPER, its RPN, and R-FCN-3000: all heads read one map, that of the first of the joined stages."""
    before = sum(model.neck.in_channels)
    neck = _joining(module, new)
    (stride,) = model.rpn_head.anchor_generator.strides
    for part in _dictionaries([model.rpn_head, model.get("roi_head")]):
        if part.get("in_channels") == before:
            part["in_channels"] = sum(neck["in_channels"])
    _restride(model, new.strides[new.joined[0]] / stride)
    model.neck = neck
    return new.joined


def _pyramid_detector(model: Any, module: dict, new: Backbone, stages: Sequence[int]) -> Sequence[int]:
    """RetinaNet, Faster R-CNN and whatever else reads the maps of several stages."""
    scales = [2.0 ** round(math.log2(stride / wanted)) for stride, wanted in zip(new.strides, PYRAMID, strict=True)]
    ratios = {stride / scale / wanted for stride, scale, wanted in zip(new.strides, scales, PYRAMID, strict=True)}
    if len(ratios) > 1:
        raise ValueError(
            f"The maps of {new.name} have strides {', '.join(map(str, new.strides))}: scaled by powers of two they make"
            " no pyramid, each of whose maps has twice the stride of the one before."
        )
    _restride(model, *ratios)
    if set(scales) == {1}:
        model.neck["in_channels"] = [new.channels[stage] for stage in stages]
        return stages
    stages = stages[model.neck.pop("start_level", 0) :]  # a map that is not read is not made
    (channels,) = {new.channels[stage] for stage in stages}
    model.neck["in_channels"] = [channels] * len(stages)
    rescaling = dict(type="mmdetpre.RescaleMaps", channels=channels, scales=[scales[stage] for stage in stages])
    model.neck = [rescaling, model.neck]
    return stages


def _restride(model: Any, ratio: float) -> None:
    """Heads for maps whose strides are so many times as large; anchors keep their sizes in pixels."""
    if ratio == 1:
        return
    for part in _dictionaries([model.get(part) for part in ("rpn_head", "bbox_head", "roi_head", "focus_head")]):
        for key in ("strides", "featmap_strides"):
            if part.get(key):
                part[key] = [_whole(stride * ratio) for stride in part[key]]
        if part.get("featmap_stride"):
            part["featmap_stride"] = _whole(part["featmap_stride"] * ratio)
        if str(part.get("type")).endswith("AnchorGenerator"):
            if part.get("scales"):
                part["scales"] = [scale / ratio for scale in part["scales"]]
            if part.get("octave_base_scale"):
                part["octave_base_scale"] /= ratio


def _whole(value: float) -> float:
    return int(value) if value == int(value) else value


def _segmentor(model: Any, module: dict, new: Backbone, stages: Sequence[int]) -> Sequence[int]:
    """A head on the map of stride 16; DeepLabV3+ reads that of an earlier stage too."""
    *early, _ = stages
    head = model.decode_head
    if new.dense is not None:
        module.update(new.dense)
        head["in_channels"] = new.channels[-1]
    else:
        neck = _joining(module, new, early)
        head["in_channels"] = sum(neck["in_channels"][len(early) :])
        model.neck, stages = neck, (*early, *new.joined)
    if head.get("num_convs") == 0:  # a classifier of the map's own channels
        head["channels"] = head["in_channels"]
    if early:
        head["c1_in_channels"] = new.channels[early[0]]
    return stages


def _classifier(model: Any, module: dict, new: Backbone, stages: Sequence[int]) -> Sequence[int]:
    changes = new.classifier
    module.update(changes.get("backbone", {}))
    if new.dense is not None and tuple(model.backbone.get("dilations") or (1,))[-1] > 1:
        module.update(new.dense)  # as the detector's
    if "neck" in changes:
        model.neck = changes["neck"]
    model.head["in_channels"] = new.channels[-1]
    return (STAGES - 1,)


def _joining(module: dict, new: Backbone, early: Sequence[int] = ()) -> dict[str, Any]:
    """The neck that makes one map of the joined stages, behind those that are passed on."""
    neck: dict[str, Any] = dict(type="mmdetpre.ConcatNeck")
    neck["in_channels"] = [new.channels[stage] for stage in (*early, *new.joined)]
    if new.dense is not None:
        module.update(new.dense)
    elif len(new.joined) > 1:
        neck["resize"] = True
    if early:
        neck["passed"] = len(early)
    return neck


def _dictionaries(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from _dictionaries(one)


def _prepare(preprocessor: Any, new: Backbone, scope: str | None) -> None:
    """Mean, deviation and channel order of the backbone's weights; sizes that its strides divide."""
    if not isinstance(preprocessor, dict):
        return
    settings = dict(new.preprocessing)
    order = settings.pop("channel_order", "rgb")
    preprocessor.update(settings)
    preprocessor["to_rgb" if scope == "mmpretrain" else "bgr_to_rgb"] = order == "rgb"
    whole = math.lcm(*new.strides)
    for part in _dictionaries(preprocessor):
        for key in ("pad_size_divisor", "size_divisor"):
            if part.get(key, 0) % whole:
                part[key] = whole
        if isinstance(part.get("size"), list | tuple):
            part["size"] = type(part["size"])(-(-side // whole) * whole for side in part["size"])


def _optimize(config: Any, new: Backbone) -> None:
    """The family's optimizer; one of the same type stays as the config has it, but for the groups of parameters."""
    wrapper, changes = config.optim_wrapper, copy.deepcopy(dict(new.optim_wrapper or {}))
    optimizer = changes.pop("optimizer")
    if wrapper.optimizer.type != optimizer["type"]:
        rate = new.learning_rates[config.get("default_scope", "mmdet")]
        wrapper.optimizer = dict(optimizer, lr=rate)
        config.auto_scale_lr = dict(enable=True, base_batch_size=IMAGES)
    keys = dict((wrapper.get("paramwise_cfg") or {}).get("custom_keys") or {})
    groups = changes.pop("paramwise_cfg", {})
    wrapper.update(changes)
    wrapper.paramwise_cfg = {**groups, "custom_keys": {**keys, **groups.get("custom_keys", {})}}


def _initialize(config: Any, old: Any, new: Backbone) -> None:
    """What names of initializations stand for: trainings of this backbone, and its own ImageNet weights."""
    table = config.get("backbone_inits")
    if table is None:
        if not old.get("init_cfg"):
            return
        config.backbone_inits = dict(scratch=dict(checkpoint=None), imagenet_cls={})
        config.setdefault("backbone_init", dict(name="imagenet_cls"))
        table = config.backbone_inits
    for name, entry in table.items():
        file = entry.get("checkpoint") if isinstance(entry, dict) else None
        if name == "imagenet_cls" and not str(file).startswith("work_dirs/"):
            none = f"no file of ImageNet weights is known for {new.name}: give one, backbone_init.checkpoint=FILE"
            table[name] = dict(new.imagenet_cls) if new.imagenet_cls else none
        elif str(file).startswith("work_dirs/"):
            folder, *rest = str(file).removeprefix("work_dirs/").split("/")
            entry["checkpoint"] = "/".join(["work_dirs", f"{folder}_{new.name}", *rest])
            entry.pop("reset_offsets", None)
        if isinstance(table[name], dict):
            table[name].pop(CHANGES, None)  # of the old backbone; they are made before
