"""mmpretrain's ConvNeXt, whose frozen stages take the norms of their outputs along."""

from __future__ import annotations

from mmpretrain.models.backbones import ConvNeXt as MMPretrainConvNeXt

from mmdetpre.registry import MODELS


@MODELS.register_module()
class ConvNeXt(MMPretrainConvNeXt):
    """``mmpretrain.ConvNeXt``; a frozen stage is frozen with the norm of its output, as in mmdet's Swin.

    So a linear probe trains nothing but its classifier. Parameters and their names are the same.

    Example:
        >>> backbone = ConvNeXt(dict(depths=[1] * 4, channels=[8] * 4), frozen_stages=4, out_indices=[3])
        >>> any(parameter.requires_grad for parameter in backbone.parameters())
        False
    """

    def _freeze_stages(self) -> None:
        super()._freeze_stages()
        for stage in set(self.out_indices) & set(range(self.frozen_stages)):
            getattr(self, f"norm{stage}").requires_grad_(False)
