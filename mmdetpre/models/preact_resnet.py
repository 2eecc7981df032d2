"""Pre-activation ResNet, the backbone of the original SNIPER release."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import build_conv_layer, build_norm_layer
from mmengine.model import BaseModule, Sequential
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmdetpre.registry import MODELS

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
EXPANSION = 4


class InputNorm(nn.Module):
    """Batch normalization of the image with scale 1 and fixed statistics; only its shift can be trained.

    It is no ``BatchNorm2d``, so that nothing gives it a scale, updates its statistics or turns it into ``SyncBN``.

    Args:
        channels: Channels of the image.
        eps: Added to the variance.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalizes an image batch (N, C, H, W)."""
        return F.batch_norm(x, self.running_mean, self.running_var, None, self.bias, training=False, eps=self.eps)


class PreActBottleneck(BaseModule):
    """Unit of 1x1, 3x3 and 1x1 convolution, each behind normalization and ReLU, plus the input or its projection.

    The projection reads the activated input, the identity the raw one; nothing follows the sum.

    Args:
        in_channels: Channels of the input.
        width: Channels of the 3x3 convolution; the output has four times as many.
        stride: Of the 3x3 convolution and the projection.
        dilation: Of the 3x3 convolution.
        project: Whether the shortcut is a 1x1 convolution.
        conv_cfg, norm_cfg: As for `PreActResNet`.
        dcn: Config of a deformable 3x3 convolution, such as ``dict(type="DCN", deform_groups=4)``.
        with_cp: Trade time for memory with activation checkpointing.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        dilation: int,
        project: bool,
        conv_cfg: dict | None,
        norm_cfg: dict,
        dcn: dict | None = None,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.with_cp = with_cp
        self.deformable = dcn is not None
        self.bn1 = build_norm_layer(norm_cfg, in_channels)[1]
        self.conv1 = build_conv_layer(conv_cfg, in_channels, width, 1, bias=False)
        self.bn2 = build_norm_layer(norm_cfg, width)[1]
        self.conv2 = build_conv_layer(
            dcn or conv_cfg, width, width, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn3 = build_norm_layer(norm_cfg, width)[1]
        self.conv3 = build_conv_layer(conv_cfg, width, width * EXPANSION, 1, bias=False)
        self.shortcut: nn.Module | None = None
        if project:
            self.shortcut = build_conv_layer(conv_cfg, in_channels, width * EXPANSION, 1, stride=stride, bias=False)

    def init_weights(self) -> None:
        """Sets the offsets to zero, which the backbone's initializer of convolutions has just filled."""
        if self.deformable and not self.is_init:
            self.conv2.init_offset()
        super().init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, in_channels, H, W) to (N, 4 * width, H / stride, W / stride)."""
        if self.with_cp and x.requires_grad:
            return checkpoint(self._forward, x, use_reentrant=False)
        return self._forward(x)

    def _forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.bn1(x), inplace=True)
        identity = x if self.shortcut is None else self.shortcut(active)
        out = self.conv1(active)
        out = self.conv2(F.relu(self.bn2(out), inplace=True))
        out = self.conv3(F.relu(self.bn3(out), inplace=True))
        return out + identity


@MODELS.register_module()
class PreActResNet(BaseModule):
    """ResNet of pre-activation units, with the interface of ``mmdet.ResNet``; for all three toolboxes.

    An `InputNorm` stands before the 7x7 stem. Outputs are the raw sums of residuals: unlike a pre-activation
    classifier, no normalization and ReLU closes a stage, so that they may be negative.

    The release trained the shift of its input normalization though the stem behind it was frozen, which takes a
    backward pass through the frozen stages for three numbers; here ``frozen_stages >= 0`` freezes it, too.

    Args:
        depth: 50, 101 or 152.
        in_channels: Channels of the image.
        stem_channels: Channels behind the stem; ``base_channels`` if None.
        base_channels: Width of the first stage.
        num_stages: Stages to build, from 1 to 4.
        strides: Stride of each stage's first unit.
        dilations: Dilation of each stage.
        out_indices: Stages, counted from 0, whose outputs are returned.
        frozen_stages: Stages to freeze, parameters and statistics; 0 is the stem alone, -1 nothing.
        conv_cfg: Config of plain convolutions; None is ``Conv2d``.
        norm_cfg: Config of the normalization. By default that of the release: eps 2e-5, and 0.5 % of each batch go into
            the statistics.
        norm_eval: Keep all statistics as they are in training.
        dcn: Config of deformable convolutions, such as ``dict(type="DCN", deform_groups=4)``; for weights of the
            release, ``type="mmdetpre.MXNetDCN"`` computes at the border what they were trained with.
        stage_with_dcn: Per stage, whether its 3x3 convolutions are deformable.
        with_cp: Trade time for memory with activation checkpointing.
        init_cfg: Initializer; by default Kaiming, with offsets of zero.

    Raises:
        ValueError: If the depth or the number of per-stage values does not fit.

    Source: the public release (resnet_mx_101_e2e): strides (1, 2, 2, 1), dilations (1, 1, 1, 2), DCN with 4 groups in
    stage 4, ``frozen_stages=1``.

    Example:
        >>> net = PreActResNet(50, base_channels=4, out_indices=(2, 3), strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))
        >>> [tuple(out.shape) for out in net(torch.zeros(1, 3, 64, 64))]
        [(1, 64, 4, 4), (1, 128, 4, 4)]
    """

    def __init__(
        self,
        depth: int,
        in_channels: int = 3,
        stem_channels: int | None = None,
        base_channels: int = 64,
        num_stages: int = 4,
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        conv_cfg: dict | None = None,
        norm_cfg: dict | None = None,
        norm_eval: bool = True,
        dcn: dict | None = None,
        stage_with_dcn: Sequence[bool] = (False, False, False, False),
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if init_cfg is None:
            init_cfg = [
                dict(type="Kaiming", layer="Conv2d"),
                dict(type="Constant", val=1, layer=["_BatchNorm", "GroupNorm"]),
            ]
        super().__init__(init_cfg)
        if depth not in BLOCKS:
            raise ValueError(f"depth={depth} is unknown: PreActResNet has depth {', '.join(map(str, BLOCKS))}.")
        counts = {"strides": len(strides), "dilations": len(dilations)}
        counts |= {"stage_with_dcn": len(stage_with_dcn)} if dcn else {}
        for name, count in counts.items():
            if count != num_stages:
                raise ValueError(f"{name} has {count} values for num_stages={num_stages}: give one per stage.")
        if not 1 <= num_stages <= 4 or not all(0 <= index < num_stages for index in out_indices):
            raise ValueError(f"out_indices={tuple(out_indices)} does not fit num_stages={num_stages} (at most 4).")
        self.depth, self.out_indices, self.frozen_stages = depth, tuple(out_indices), frozen_stages
        self.norm_eval = norm_eval
        norm_cfg = norm_cfg or dict(type="BN", eps=2e-5, momentum=0.005)
        stem_channels = stem_channels or base_channels
        self.input_norm = InputNorm(in_channels, norm_cfg.get("eps", 1e-5))
        self.conv1 = build_conv_layer(conv_cfg, in_channels, stem_channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = build_norm_layer(norm_cfg, stem_channels)[1]
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        channels = stem_channels
        for stage, blocks in enumerate(BLOCKS[depth][:num_stages]):
            width = base_channels * 2**stage
            units = []
            for unit in range(blocks):
                stride = strides[stage] if unit == 0 else 1
                deformable = dcn if dcn and stage_with_dcn[stage] else None
                units.append(
                    PreActBottleneck(
                        channels, width, stride, dilations[stage], unit == 0, conv_cfg, norm_cfg, deformable, with_cp
                    )
                )
                channels = width * EXPANSION
            self.add_module(f"layer{stage + 1}", Sequential(*units))
        self.feat_dim = channels
        self.num_stages = num_stages
        self._freeze_stages()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of the stages in ``out_indices`` for images (N, in_channels, H, W)."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(self.input_norm(x))), inplace=True))
        outs = []
        for stage in range(self.num_stages):
            x = self.get_submodule(f"layer{stage + 1}")(x)
            if stage in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def train(self, mode: bool = True) -> PreActResNet:
        """Sets the mode; frozen stages, and all statistics with ``norm_eval``, stay as they are."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze_stages(self) -> None:
        frozen = ["input_norm", "conv1", "bn1"] if self.frozen_stages >= 0 else []
        frozen += [f"layer{stage}" for stage in range(1, self.frozen_stages + 1)]
        for name in frozen:
            self.get_submodule(name).eval().requires_grad_(False)
