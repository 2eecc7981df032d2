"""mmdet's Swin Transformer, with the answers that mmpretrain expects of a backbone."""

from __future__ import annotations

from mmdet.models.backbones import SwinTransformer as MMDetSwinTransformer
from torch import Tensor

from mmdetpre.registry import MODELS


@MODELS.register_module()
class SwinTransformer(MMDetSwinTransformer):
    """``mmdet.SwinTransformer`` for all three toolboxes. Parameters and their names are the same.

    mmdet's returns a list of maps, which mmpretrain's necks refuse, and nothing from ``train()``.
    """

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Maps of the stages in ``out_indices`` for images (N, 3, H, W)."""
        return tuple(super().forward(x))

    def train(self, mode: bool = True) -> SwinTransformer:
        """Training mode but for frozen stages."""
        super().train(mode)
        return self
