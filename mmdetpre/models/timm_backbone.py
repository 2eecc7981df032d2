"""mmpretrain's backbone of timm, of which stages and statistics can be frozen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmpretrain.models.backbones import TIMMBackbone as MMPretrainTIMMBackbone
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmdetpre.registry import MODELS


@MODELS.register_module()
class TIMMBackbone(MMPretrainTIMMBackbone):
    """``mmpretrain.TIMMBackbone`` with ``frozen_stages`` and ``norm_eval``. Parameters and their names are the same.

    Args:
        args, kwargs: As for ``mmpretrain.TIMMBackbone``.
        frozen_stages: Number of timm's levels (strides 2, 4, 8 ...) that are frozen, with all in front of them; more
            than 0 needs ``features_only``.
        norm_eval: Keep the statistics of batch normalisation.

    Raises:
        ValueError: If there are not that many levels, or they are not known.
    """

    def __init__(self, *args: Any, frozen_stages: int = 0, norm_eval: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval
        self._frozen = list(self._in_front_of(frozen_stages)) if frozen_stages else []
        for part in self._frozen:
            part.requires_grad_(False)

    def _in_front_of(self, levels: int) -> Iterator[nn.Module]:
        """Modules with values of their own, in order, up to the end of a level."""
        info = getattr(getattr(self.timm_model, "feature_info", None), "info", None)
        if not isinstance(info, list) or levels > len(info):
            known = f"has {len(info)} levels" if isinstance(info, list) else "tells no levels: set features_only=True"
            raise ValueError(f"frozen_stages={levels}, but the model {known}.")
        last = info[levels - 1]["module"]
        # Batch normalization of timm has children, its activation; some wrappers flatten the names of stages.
        parts = list(self.timm_model.named_modules())
        ends = (f"{last}.", f"{last.replace('.', '_')}.")
        inside = [index for index, (name, _) in enumerate(parts) if f"{name}.".startswith(ends)]
        return (part for _, part in parts[: max(inside) + 1] if part._parameters or part._buffers)

    def train(self, mode: bool = True) -> TIMMBackbone:
        """Frozen parts, and with ``norm_eval`` all batch normalisation, stay in evaluation mode."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        if self.norm_eval:
            for part in self.modules():
                if isinstance(part, _BatchNorm):
                    part.eval()
        return self
