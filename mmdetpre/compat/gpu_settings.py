"""What a run does where it has a GPU: bfloat16, TF32, pinned memory. The key ``gpu`` of a config changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from mmengine.optim import OptimWrapper
from torch import nn

PLAIN_WRAPPERS = (None, "OptimWrapper", "mmengine.OptimWrapper", OptimWrapper)
"""Types of ``optim_wrapper`` that say nothing of mixed precision."""
MIXED = dict(type="AmpOptimWrapper", dtype="bfloat16", loss_scale=dict(enabled=False))
"""bfloat16 has the range of float32: to scale losses would only make the host wait."""


@dataclass(frozen=True, kw_only=True)
class GpuSettings:
    """Settings of a run on a GPU. On a CPU none of them changes anything.

    Args:
        bfloat16: Train in mixed precision where the GPU has bfloat16 and ``optim_wrapper`` is a plain one; the models
            of ``configs/_base_/models`` set it, as each was compared with float32.
        tf32: Let matrix products and convolutions of float32 round their factors to 10 bits; ``False``: none of them.
            (torch's own choice is convolutions only.)
        pin_memory: Batches in memory that the GPU reads by itself while the host goes on.

    Example:
        ``mim train mmdet CONFIG --cfg-options gpu.bfloat16=False gpu.tf32=False``
    """

    bfloat16: bool = False
    tf32: bool = True
    pin_memory: bool = True

    @classmethod
    def of(cls, cfg: Mapping[str, Any]) -> GpuSettings:
        """The settings of a config.

        Raises:
            ValueError: If its key ``gpu`` has another key, or a value that is neither true nor false.
        """
        given, known = dict(cfg.get("gpu") or {}), [field.name for field in fields(cls)]
        for name, value in given.items():
            if name not in known or not isinstance(value, bool):
                raise ValueError(f"gpu.{name}={value!r} of the config: there are {', '.join(known)}, True or False.")
        return cls(**given)

    def pin_batches(self, cfg: Any) -> None:
        """Set ``pin_memory`` of the data loaders of a config that do not say it themselves."""
        for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
            if self.pin_memory and isinstance(loader := cfg.get(name), dict):
                loader.setdefault("pin_memory", True)

    def apply(self, model: nn.Module) -> None:
        """Set what torch keeps for the whole process, and let the model's batches be copied while the host goes on."""
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.tf32
        for part in model.modules():
            if isinstance(part, BaseDataPreprocessor) and self.pin_memory:
                part._non_blocking = True  # not every preprocessor of the toolboxes takes it as an argument

    def optim_wrapper(self, given: Any) -> Any:
        """The config of an optimizer wrapper, in bfloat16 where this is wanted and the wrapper is a plain one."""
        plain = isinstance(given, dict) and "optimizer" in given and given.get("type") in PLAIN_WRAPPERS
        return {**given, **MIXED} if plain and self.bfloat16 and has_bfloat16() else given

    def __str__(self) -> str:
        pairs = ", ".join(f"gpu.{field.name}={getattr(self, field.name)}" for field in fields(self))
        return f"{pairs}; each is changed by --cfg-options"


def has_gpu() -> bool:
    """Whether runs of this process use a GPU."""
    return torch.cuda.is_available()


def has_bfloat16() -> bool:
    """Whether its GPU computes bfloat16 itself."""
    return has_gpu() and torch.cuda.is_bf16_supported(including_emulation=False)
