"""mmdet's ResNet with dilated stages that compute what a strided network does."""

from __future__ import annotations

from typing import Any

from mmdet.models.backbones import ResNet as MMDetResNet

from mmdetpre.registry import MODELS
from mmdetpre.transfer.trained_form import set_strides


@MODELS.register_module()
class ResNet(MMDetResNet):
    """``mmdet.ResNet`` with the option to dilate as the a-trous rule says.

    A stage with ``stride=1, dilation=2`` stands for one with stride 2. mmdet dilates all its 3x3 convolutions. With
    ``contract_dilation`` the one that would carry the stride stays as it was, as in mmsegmentation's option of that
    name, and in networks of two 3x3 convolutions per block the second is dilated too: then weights of the strided
    network give its map, at more positions. Parameters and their names are the same.

    Args:
        args, kwargs: As for ``mmdet.ResNet``.
        contract_dilation: Dilate by the a-trous rule.

    Example:
        >>> backbone = ResNet(50, strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2), contract_dilation=True)
        >>> [block.conv2.dilation for block in backbone.layer4]
        [(1, 1), (2, 2), (2, 2)]
    """

    def __init__(self, *args: Any, contract_dilation: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.contract_dilation = contract_dilation
        if contract_dilation:
            before = (1, *self.dilations)
            lacked = [now // then for then, now in zip(before, self.dilations, strict=False)]
            set_strides(self, [own * more for own, more in zip(self.strides, lacked, strict=True)], dense=True)
