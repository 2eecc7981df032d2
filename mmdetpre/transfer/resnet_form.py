"""What the names and shapes of a ResNet tell about its form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mmdetpre.utils.plain_config import PlainConfig

DEPTHS: dict[tuple[bool, tuple[int, ...]], int] = {
    (False, (2, 2, 2, 2)): 18,
    (False, (3, 4, 6, 3)): 34,
    (True, (3, 4, 6, 3)): 50,
    (True, (3, 4, 23, 3)): 101,
    (True, (3, 8, 36, 3)): 152,
}
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class ResNetForm:
    """Form of a ResNet. Strides, dilations and style leave no trace in the weights.

    Attributes:
        bottleneck: Whether blocks have three convolutions.
        blocks: Number of blocks per stage.
        base_channels: Width of the first stage's 3x3 convolutions.
        stem_channels: Channels behind the stem.
        deep_stem: Whether three 3x3 convolutions stand for the 7x7 (V1c, V1d).
        pooled_shortcut: Whether an average pooling stands before the shortcuts' convolutions (V1d).
        offsets: Per stage, the offset channels of its deformable convolutions; 0 if they are plain.
        has_norms: Whether layers named ``bn`` exist.
        pre_activation: Whether it is a `mmdetpre.PreActResNet`, whose convolutions have the same names.
    """

    bottleneck: bool
    blocks: tuple[int, ...]
    base_channels: int
    stem_channels: int
    deep_stem: bool
    pooled_shortcut: bool
    offsets: tuple[int, ...]
    has_norms: bool
    pre_activation: bool = False

    @property
    def depth(self) -> int | None:
        """18, 34, 50, 101 or 152; None for any other number of blocks."""
        return DEPTHS.get((self.bottleneck, self.blocks))

    def __str__(self) -> str:
        name = f"ResNet-{self.depth}" if self.depth else f"ResNet with {self.blocks} blocks"
        name = f"pre-activation {name}" if self.pre_activation else name
        name += "" if not self.deep_stem else " V1d" if self.pooled_shortcut else " V1c"
        width = "" if self.base_channels == 64 else f", width {self.base_channels}"
        deformable = [str(stage) for stage, count in enumerate(self.offsets, 1) if count]
        return name + width + (f", deformable in stage {', '.join(deformable)}" if deformable else "")


def resnet_form(shapes: Shapes, pooled_shortcut: bool = False) -> ResNetForm | None:
    """Form of a ResNet from its canonical names and shapes; None if it is none.

    Args:
        shapes: Shape of each tensor by canonical name (`mmdetpre.transfer.key_map`).
        pooled_shortcut: As ``KeyMap.pooled_shortcut`` says.
    """
    first = shapes.get("layer1.0.conv1.weight")
    if first is None:
        return None
    stages: dict[int, int] = {}
    for name in shapes:
        if match := re.match(r"^layer(\d)\.(\d+)\.conv1\.weight$", name):
            stages[int(match[1])] = max(stages.get(int(match[1]), 0), int(match[2]) + 1)
    offsets = []
    for stage in sorted(stages):
        found = [
            shape[0] for name, shape in shapes.items() if re.match(rf"^layer{stage}\..*conv_offset\.weight$", name)
        ]
        offsets.append(found[0] if found else 0)
    return ResNetForm(
        bottleneck="layer1.0.conv3.weight" in shapes,
        blocks=tuple(stages[stage] for stage in sorted(stages)),
        base_channels=first[0],
        stem_channels=first[1],
        deep_stem="stem.conv1.weight" in shapes,
        pooled_shortcut=pooled_shortcut,
        offsets=tuple(offsets),
        has_norms=any(re.match(r"^(stem\.)?bn1\.weight$", name) for name in shapes),
        pre_activation="input_norm.bias" in shapes,
    )


def deformable_config(offset_channels: int) -> PlainConfig:
    """``dcn`` argument of a ResNet for the offset channels of its 3x3 convolutions.

    DCN has 18 offsets per group, DCNv2 18 and 9 masks. Groups divide the channels, which are a power of two times the
    width, so that the count tells which of the two it is.

    Example:
        >>> deformable_config(72), deformable_config(54)
        ({'type': 'DCN', 'deform_groups': 4}, {'type': 'DCNv2', 'deform_groups': 2})
    """
    groups, rest = divmod(offset_channels, 18)
    if rest == 0 and groups & (groups - 1) == 0:
        return {"type": "DCN", "deform_groups": groups}
    return {"type": "DCNv2", "deform_groups": offset_channels // 27}


def form_differences(file: ResNetForm, model: ResNetForm) -> list[str]:
    """Why the weights of one form cannot fill another, one text each with what to change in the model."""
    if file.pre_activation != model.pre_activation:
        kind = "mmdetpre.PreActResNet" if file.pre_activation else "ResNet"
        return [f"wrong kind: the file is a {file}, the model a {model}: set type={kind!r} in the model"]
    found = []
    if file.bottleneck != model.bottleneck or file.blocks != model.blocks:
        stage = next((i for i, (a, b) in enumerate(zip(file.blocks, model.blocks, strict=False)) if a != b), 0)
        if file.blocks == model.blocks:
            what = f"the file has {'three' if file.bottleneck else 'two'} convolutions per block"
            what += f", the model {'three' if model.bottleneck else 'two'}"
        elif len(file.blocks) != len(model.blocks):
            what = f"the file has {len(file.blocks)} stages, the model {len(model.blocks)}"
        else:
            what = f"the file has {file.blocks[stage]} blocks in layer{stage + 1}, the model {model.blocks[stage]}"
        depth = f": set depth={file.depth}" if file.depth and file.depth != model.depth else ""
        if file.blocks != model.blocks and file.blocks[: len(model.blocks)] == model.blocks:
            depth = f": set num_stages={len(file.blocks)}; or, if the rest is not used, policy='warn'"
        found.append(f"wrong depth: {what} ({file} into {model}){depth}")
    if (file.base_channels, file.stem_channels) != (model.base_channels, model.stem_channels):
        found.append(
            f"wrong width: set base_channels={file.base_channels}, stem_channels={file.stem_channels} in the model"
            f" (now {model.base_channels} and {model.stem_channels})"
        )
    if file.deep_stem != model.deep_stem:
        kinds = {True: "three 3x3 convolutions (V1c, V1d)", False: "one 7x7 convolution"}
        found.append(
            f"wrong stem: the file has {kinds[file.deep_stem]}, the model {kinds[model.deep_stem]}: set"
            f" deep_stem={file.deep_stem} in the model (type ResNet{'V1c or V1d' if file.deep_stem else ''})"
        )
    if file.pooled_shortcut != model.pooled_shortcut:
        found.append(
            f"wrong shortcut: the {'file' if file.pooled_shortcut else 'model'} has an average pooling before its"
            f" shortcuts (V1d), the {'model' if file.pooled_shortcut else 'file'} a strided convolution: set"
            f" avg_down={file.pooled_shortcut} in the model"
        )
    lost = [str(i) for i, (a, b) in enumerate(zip(file.offsets, model.offsets, strict=False), 1) if a and not b]
    if lost:
        found.append(
            f"deformable convolutions: the file has them in stage {', '.join(lost)}, the model has plain ones and would"
            " drop the offsets it learned with: set dcn and stage_with_dcn in the model"
        )
    if file.has_norms and not model.has_norms:
        found.append("the file has batch normalization, the model another kind: set norm_cfg=dict(type='BN')")
    return found


def backbone_config(form: ResNetForm, style: str = "pytorch") -> PlainConfig:
    """Arguments of a ResNet of some form, without ``type``, good for all three toolboxes but for ``dcn``."""
    config: PlainConfig = dict(
        depth=form.depth,
        base_channels=form.base_channels,
        stem_channels=form.stem_channels,
        out_indices=(0, 1, 2, 3),
        norm_eval=False,
        init_cfg=None,
    )
    if not form.pre_activation:
        config |= dict(deep_stem=form.deep_stem, avg_down=form.pooled_shortcut, style=style)
    if any(form.offsets):
        config["dcn"] = deformable_config(next(count for count in form.offsets if count))
        config["stage_with_dcn"] = tuple(bool(count) for count in form.offsets)
    return config
