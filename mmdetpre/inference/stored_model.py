"""The one door by which a model is built from the config inside a checkpoint, which may be a stranger's.

A config file that the user names is Python, as everywhere in OpenMMLab, and runs. The text inside a checkpoint is data:
`mmdetpre.utils.literal_config` reads its literals, and here they must be a model of the toolboxes and nothing else.
That takes more than reading them: mmengine's registries import and call any dotted name that they do not know, and the
arguments of some registered types are evaluated, executed, fetched or unpickled.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, Registry

from mmdetpre.inference.bounded_build import bounded_build
from mmdetpre.inference.build_model import ConfigModel, with_preprocessing
from mmdetpre.registry import OnDemandRegistry
from mmdetpre.utils.plain_config import PlainConfig

HOSTS = ("mmengine", "mmcv", "mmdet", "mmseg", "mmpretrain", "mmdetpre")
"""The scopes whose registered types may be named."""
NOT_FROM_A_FILE = {
    "CameraMotionCompensation": "evaluates an argument as Python",
    "KnowledgeDistillationSingleStageDetector": "executes a config file",
    **dict.fromkeys(("LAD", "VPD", "AppearanceFreeLink", "CLIPGenerator"), "loads another checkpoint"),
    **dict.fromkeys(("ImageToImageRetriever", "VQAGenerationHead", "ArcFaceClsHead"), "reads a file"),
    **dict.fromkeys(("VectorQuantizer", "NormEMAVectorQuantizer", "VQKD", "RAM"), "loads another checkpoint"),
    **dict.fromkeys(("BertModel", "ATSSVLFusionHead", "HuggingFaceClassifier"), "fetches a model by its name"),
    **dict.fromkeys(("TIMMBackbone", "TimmClassifier"), "fetches a model by its name"),
}
"""Registered types that reach beyond the model while they are built, and what they do."""
OPERATORS = ("RoIAlign", "RoIPool", "DeformRoIPoolPack", "ModulatedDeformRoIPoolPack", "nms", "soft_nms")
"""Operators of mmcv, which a config also names by ``type``: RoI layers, looked up in ``mmcv.ops``, and the suppression
of a ``test_cfg``, whose name mmcv evaluates as Python when the model is used."""
DROPPED = ("init_cfg", "pretrained")
"""Arguments that name files to begin from: the weights come from the checkpoint itself."""
MOST_DEPTH, MOST_VALUES, MOST_INTEGER = 32, 20_000, 1 << 20
_REGISTRIES = ("MODELS", "TASK_UTILS", "BATCH_AUGMENTS")
_WORD = re.compile(r"(?:[\w +-]|(?<=\d)[./](?=\d)){0,100}", re.ASCII)
"""Words that mean something to a model, such as ``SAME``, ``regnetx_1.6gf`` or ``768/32``: no path, address or code."""


class StoredModelRefused(ValueError):
    """A config inside a checkpoint that is not a plain model of the toolboxes."""


def build_stored_model(config: Mapping[str, Any], name: str, most_bytes: int) -> ConfigModel:
    """Build the model of the config inside a checkpoint: registered types, plain values, bounded memory.

    Args:
        config: Literals of the config, as `mmdetpre.utils.literal_config.literal_config` reads them. Of its entries
            ``model`` and ``default_scope`` are considered.
        name: What to call the checkpoint in messages.
        most_bytes: Memory that building may take.

    Returns:
        The model in eval mode, on the CPU, with random weights; its ``cfg`` holds the checked values alone.

    Raises:
        StoredModelRefused: If the config is more than a model of the toolboxes. Nothing of it was called.
        MemoryError, RuntimeError: If it takes more memory or parts than allowed.
        Exception: Whatever a type of the toolboxes raises for arguments that it does not take.
    """
    scope = config.get("default_scope") or "mmdet"
    cfg = Config(dict(default_scope=scope, model=checked_model(config.get("model"), scope, name)))
    with bounded_build(most_bytes), DefaultScope.overwrite_default_scope(scope):
        return with_preprocessing(cfg, scope, MODELS.build(cfg.model))


def checked_model(model: Any, scope: str, name: str) -> PlainConfig:
    """A copy of a model's config that holds nothing but registered types and plain values.

    Args:
        model: Dictionary with ``type``, of literals.
        scope: Where types without a scope of their own are looked up: one of `HOSTS`.
        name: What to call the checkpoint in messages.

    Raises:
        StoredModelRefused: If there is anything else in it; the message says where.

    Example:
        >>> checked_model(dict(type="ResNet", depth=18, init_cfg=dict(checkpoint="x.pth")), "mmdet", "x.pth")
        {'type': 'ResNet', 'depth': 18}
        >>> checked_model(dict(type="os.system", command="ls"), "mmdet", "x.pth")
        Traceback (most recent call last):
        ...
        mmdetpre.inference.stored_model.StoredModelRefused: The config in x.pth is not built, ...
    """
    check = _Check(name)
    if scope not in HOSTS:
        check.refuse("default_scope", f"is {reprlib.repr(scope)}, which is none of {', '.join(HOSTS)}")
    if not isinstance(model, Mapping) or "type" not in model:
        check.refuse("model", "is not a dictionary with a type")
    return check.value(model, "model", scope, 0)


class _Check:
    def __init__(self, name: str) -> None:
        self.name, self.values = name, 0

    def refuse(self, where: str, what: str) -> None:
        raise StoredModelRefused(
            f"The config in {self.name} is not built, and nothing of it was run: {where} {what}. Only registered types"
            f" of {', '.join(HOSTS)} with plain values are built from a file. If you trust it, write the model into a"
            " config file of your own and name that."
        )

    def value(self, value: Any, where: str, scope: str, depth: int) -> Any:
        self.values += 1
        if depth > MOST_DEPTH or self.values > MOST_VALUES:
            self.refuse(where[:200], f"is deeper than {MOST_DEPTH} or the whole has more than {MOST_VALUES} values")
        if isinstance(value, Mapping):
            return self._dictionary(value, where, scope, depth)
        if isinstance(value, list | tuple):
            items = [self.value(item, f"{where}[{i}]", scope, depth + 1) for i, item in enumerate(value)]
            return items if isinstance(value, list) else tuple(items)
        if type(value) in (bool, float, type(None)):
            return value
        if type(value) is int and abs(value) <= MOST_INTEGER:
            return value
        if type(value) is str and (_WORD.fullmatch(value) or ("." in value and registered(value, scope))):
            return value
        return self.refuse(where, f"is {reprlib.repr(value)}, which is neither a number nor a plain word")

    def _dictionary(self, value: Mapping[Any, Any], where: str, scope: str, depth: int) -> PlainConfig:
        if keys := [key for key in value if type(key) is not str or not key.isidentifier() or len(key) > 100]:
            self.refuse(where, f"has the key {reprlib.repr(keys[0])}")
        if "_scope_" in value:
            scope = value["_scope_"]
            if scope not in HOSTS:
                self.refuse(where, f"has _scope_={reprlib.repr(scope)}")
        if "type" in value:
            kind = value["type"]
            if type(kind) is not str or not (kind in OPERATORS or registered(kind, scope)):
                self.refuse(where, f"has the type {reprlib.repr(kind)}, which is not registered in {scope}")
            if does := NOT_FROM_A_FILE.get(kind.rpartition(".")[2]):
                self.refuse(where, f"has the type {kind}, which {does} while it is built")
        kept = {key: item for key, item in value.items() if key not in DROPPED}
        return {key: self.value(item, f"{where}.{key}", scope, depth + 1) for key, item in kept.items()}


def registered(kind: str, scope: str) -> bool:
    """Whether a toolbox registers a type under this name; unlike ``Registry.get`` it imports no dotted name.

    Args:
        kind: ``ResNet`` or ``mmseg.ResNet``.
        scope: Where a name without scope is looked up: one of `HOSTS`.

    Example:
        >>> registered("mmdet.ResNet", "mmseg"), registered("os.system", "mmdet"), registered("antigravity", "mmdet")
        (True, False, False)
    """
    prefix, dot, name = kind.rpartition(".")
    scope = prefix if dot else scope
    if scope not in HOSTS or not name.isidentifier():
        return False
    host = import_module("mmengine.registry" if scope == "mmcv" else f"{scope}.registry")
    return any(_holds(getattr(host, kind, None), name, up=not dot) for kind in _REGISTRIES)


def _holds(registry: Registry | None, name: str, up: bool) -> bool:
    while registry is not None:
        if isinstance(registry, OnDemandRegistry):
            registry.offer(name)
        else:
            registry.import_from_location()
        if name in registry.module_dict:
            return True
        registry = registry.parent if up else None
    return False
