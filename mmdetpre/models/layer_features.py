"""Layers of a detector, segmentor or classifier by name, for whole images."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BACKBONE_LAYERS = ("conv5", "conv5_pooled")
_POOLED = {"conv_proj_4x4": 4, "conv_proj_2x2": 2, "conv_proj_pooled": 1}


def layer_names(model: nn.Module) -> list[str]:
    """Names of the layers that a model has besides its modules.

    ``conv5``, ``conv5_pooled``: the last map of the backbone, and its mean over the positions. ``conv_proj`` (SNIPER):
    the projected map of the whole image after its ReLU, ``conv_proj_4x4``, ``conv_proj_2x2`` and ``conv_proj_pooled``
    that blob averaged to 4x4, 2x2 and 1 bins (adaptive: bins of 14 / 4 positions overlap by one). ``fc1``, ``fc2``:
    the shared layers of a detector's box head for the whole image, after their ReLU.

    Source: section 4.3 and Table 7 of "An Analysis of Pre-Training on Object Detection" (2019).
    """
    names = list(BACKBONE_LAYERS) if hasattr(model, "backbone") else []
    if hasattr(getattr(model, "roi_head", None), "conv_proj"):
        names += ["conv_proj", *_POOLED]
    return names + [f"fc{i + 1}" for i in range(len(_shared_layers(model)))]


class LayerReader:
    """Computes layers of a model for a batch of whole images.

    The blob of a detector's second stage is what its RoI layer makes of the box around the whole image. Where SNIPER's
    projected map has just the bins of the RoI layer (224 pixels, stride 16: 14x14), it is that map itself.

    A module of the model is a layer too, by its dotted name (``backbone.layer3``, ``roi_head.bbox_head.fc_cls``); its
    output is taken as it is, before any activation that follows.

    Args:
        model: A model of mmdet, mmsegmentation or mmpretrain in eval mode.
        layers: Names of layers, see :func:`layer_names`, or of modules.

    Raises:
        ValueError: If a layer does not exist; the message lists those that do.

    Example:
        >>> reader = LayerReader(model, ["conv5_pooled", "fc1"])  # doctest: +SKIP
        >>> {name: value.shape for name, value in reader(images).items()}  # doctest: +SKIP
        {'conv5_pooled': torch.Size([8, 2048]), 'fc1': torch.Size([8, 1024])}
    """

    def __init__(self, model: nn.Module, layers: Sequence[str]) -> None:
        self.model: Any = model  # its parts depend on its kind
        self.layers = list(dict.fromkeys(layers))
        named, modules = layer_names(model), dict(model.named_modules())
        if unknown := [name for name in self.layers if name not in named and (not name or name not in modules)]:
            raise ValueError(_unknown(model, unknown[0], named, list(modules)))
        self._hooked: dict[str, nn.Module] = {n: modules[n] for n in self.layers if n not in named}
        if any(name in BACKBONE_LAYERS for name in self.layers):
            _require_conv5(self.model.backbone)
        for i, layer in enumerate(_shared_layers(model)):
            if f"fc{i + 1}" in self.layers:
                self._hooked[f"fc{i + 1}"] = layer
        self.backbone_only = all(name in BACKBONE_LAYERS or name.startswith("backbone.") for name in self.layers)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """The layers (B, ...) float32 of images (B, 3, H, W), normalized as the model needs them.

        Raises:
            ValueError: If a module is not run by whole images, or gives no single value per image.
        """
        taken: dict[str, list[Any]] = {name: [] for name in (*self._hooked, "backbone outputs")}
        modules = {**self._hooked, "backbone outputs": self.model.backbone}
        hooks = [module.register_forward_hook(partial(_take, taken[name])) for name, module in modules.items()]
        try:
            blob = self._run(images)
        finally:
            for hook in hooks:
                hook.remove()
        values = {}
        for name in self.layers:
            if name in BACKBONE_LAYERS:
                maps = taken["backbone outputs"][0]
                conv5 = maps[-1] if isinstance(maps, Sequence) else maps
                value = conv5 if name == "conv5" else conv5.mean(dim=(2, 3))
            elif name in _POOLED:
                value = F.adaptive_avg_pool2d(blob, _POOLED[name])
                value = value.flatten(1) if _POOLED[name] == 1 else value
            elif name == "conv_proj":
                value = blob
            else:
                value = _only(name, taken[name], len(images))
                value = value if name in dict(self.model.named_modules()) else value.relu()
            values[name] = value.float()
        return values

    def _run(self, images: Tensor) -> Any:
        """Run as much of the model as the layers need; the blob of the second stage, if it has one."""
        model = self.model
        if self.backbone_only:
            model.backbone(images)
            return None
        if not hasattr(model, "roi_head"):
            try:
                model(images, mode="tensor")
            except (AttributeError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{type(model).__name__} does not run on images alone ({error}): choose layers of its backbone."
                ) from error
            return None
        maps = model.extract_feat(images)
        if any(name.startswith("rpn_head") for name in self.layers):
            model.rpn_head(maps)
        if not hasattr(model.roi_head, "bbox_roi_extractor"):
            return None
        blob = whole_image_blob(model.roi_head, maps, (images.shape[2], images.shape[3]))
        if isinstance(model.roi_head.bbox_head, nn.ModuleList):  # a cascade: the first stage sees the blob
            model.roi_head.bbox_head[0](blob)
        else:
            model.roi_head.bbox_head(blob)
        return blob


def whole_image_blob(roi_head: Any, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """What the second stage of a detector sees of the box around the whole image: (B, C, bins, bins).

    Args:
        roi_head: An mmdet RoI head.
        maps: What the neck gave, (B, C, h, w) each.
        size: Height and width of the images in pixels.
    """
    extractor: Any = roi_head.bbox_roi_extractor
    extractor = extractor[0] if isinstance(extractor, nn.ModuleList) else extractor
    if hasattr(roi_head, "project"):
        maps = (roi_head.project(maps),)
    blob = maps[0]
    if not hasattr(roi_head, "project") or tuple(blob.shape[2:]) != tuple(extractor.roi_layers[0].output_size):
        boxes = blob.new_tensor([[i, 0, 0, size[1], size[0]] for i in range(len(blob))])
        blob = extractor(tuple(maps[: extractor.num_inputs]), boxes)
    return roi_head.shared_head(blob) if getattr(roi_head, "with_shared_head", False) else blob


def _shared_layers(model: nn.Module) -> Sequence[nn.Module]:
    head = getattr(getattr(model, "roi_head", None), "bbox_head", None)
    head = head[0] if isinstance(head, nn.ModuleList) else head
    layers = getattr(head, "shared_fcs", None)
    return list(layers) if layers is not None else []


def _take(into: list[Any], module: nn.Module, inputs: Any, output: Any) -> None:
    # a copy: activations that follow may work in place
    into.append(output.clone() if isinstance(output, Tensor) else output)


def _only(name: str, outputs: Sequence[Any], batch: int) -> Tensor:
    if len(outputs) != 1:
        runs = "is not run by whole images" if not outputs else f"runs {len(outputs)} times per image"
        raise ValueError(f"'{name}' {runs}: choose a module that runs once.")
    output = outputs[0]
    if isinstance(output, Sequence) and len(output) == 1:
        output = output[0]
    if not isinstance(output, Tensor) or len(output) != batch:
        what = f"{len(output)} values" if isinstance(output, Sequence | Mapping | Tensor) else type(output).__name__
        raise ValueError(f"'{name}' gives {what} for {batch} images, not one tensor: choose a module inside of it.")
    return output


def _require_conv5(backbone: Any) -> None:
    outputs = getattr(backbone, "out_indices", None)
    if hasattr(backbone, "res_layers") and isinstance(outputs, Sequence) and max(outputs) != 3:
        raise ValueError(
            f"conv5 is the output of stage 4, but the backbone gives stages {[i + 1 for i in outputs]}: set"
            " model.backbone.out_indices=(3,) and num_stages=4 (--cfg-options), or ask for backbone.layer3."
        )


def _unknown(model: nn.Module, name: str, named: Sequence[str], modules: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, [*named, *modules], n=3, cutoff=0.5)
    parts = ", ".join(part for part, _ in model.named_children())
    hint = f" Close to it: {', '.join(close)}." if close else ""
    return (
        f"{type(model).__name__} has no layer '{name}'. It has {', '.join(named)}; and its modules by dotted name, in"
        f" {parts}.{hint}"
    )
