"""mmdet's MobileNetV2, all of which can be frozen, with the answers that mmpretrain expects of a backbone."""

from __future__ import annotations

from typing import Any

from mmdet.models.backbones import MobileNetV2 as MMDetMobileNetV2

from mmdetpre.registry import MODELS

_LAYERS = 7


@MODELS.register_module()
class MobileNetV2(MMDetMobileNetV2):
    """``mmdet.MobileNetV2`` for all three toolboxes. Parameters and their names are the same.

    mmdet's cannot freeze its last convolution, keeps no stage's statistics but the layers', and returns nothing from
    ``train()``.

    Args:
        frozen_stages: As mmdet's, -1 to 7; 8 freezes the last convolution too.
        **kwargs: Of mmdet's.

    Example:
        >>> model = MobileNetV2(frozen_stages=8)
        >>> sum(parameter.requires_grad for parameter in model.train().parameters())
        0
    """

    def __init__(self, frozen_stages: int = -1, **kwargs: Any) -> None:
        if frozen_stages > _LAYERS + 1:
            raise ValueError(f"frozen_stages must be in range(-1, {_LAYERS + 2}). But received {frozen_stages}")
        super().__init__(frozen_stages=min(frozen_stages, _LAYERS), **kwargs)
        self._frozen = frozen_stages

    def train(self, mode: bool = True) -> MobileNetV2:
        """Training mode but for frozen stages."""
        super().train(mode)
        ends = [part for part, first in ((self.conv1, 0), (self.conv2, _LAYERS + 1)) if self._frozen >= first]
        for part in ends:
            part.eval()
            part.requires_grad_(False)
        return self
