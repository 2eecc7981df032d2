"""What a backbone starts from: the settings of a hook, and of a config's ``backbone_start``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from torch import nn

from mmdetpre.transfer.load_backbone import POLICIES, load_backbone
from mmdetpre.transfer.load_report import LoadReport
from mmdetpre.transfer.preprocessing import Preprocessing


@dataclass(frozen=True)
class BackboneStart:
    """Arguments of `mmdetpre.transfer.load_backbone` in plain values, as configs hold them.

    Attributes:
        checkpoint: Path or address of the file; None: from scratch.
        backbone: Where the backbone is in the model.
        preprocessing: ``dict(mean=..., std=..., channel_order="rgb", style="pytorch")`` of the model.
        prefix, policy, entry, check_preprocessing, reset_offsets: As for `load_backbone`.

    Raises:
        ValueError: If the policy is unknown, or the checkpoint is not a path.
    """

    checkpoint: str | None = None
    prefix: str | None = None
    policy: str = "error"
    entry: str | None = None
    backbone: str = "backbone"
    preprocessing: Mapping[str, Any] | None = None
    check_preprocessing: bool = True
    reset_offsets: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.checkpoint, str | os.PathLike | None):
            raise ValueError(
                f"checkpoint={self.checkpoint!r} is no path. On the command line, a comma in a path makes a list of it;"
                " rename the file."
            )
        if self.policy not in POLICIES:
            raise ValueError(f"policy={self.policy!r} is unknown; choose one of {', '.join(map(repr, POLICIES))}.")

    def changed_by(self, config: Mapping[str, Any] | None) -> BackboneStart:
        """These settings, changed by those of a config.

        Args:
            config: ``backbone_start`` of the config; None if it has none.

        Raises:
            ValueError: If it has unknown keys, or another checkpoint where there is one already.

        Example:
            >>> BackboneStart(policy="warn").changed_by({"checkpoint": "backbone.pth"}).policy
            'warn'
        """
        if config is None:
            return self
        known = [field.name for field in fields(self)]
        if not isinstance(config, Mapping) or not set(config) <= set(known):
            found = ", ".join(sorted(set(config) - set(known))) if isinstance(config, Mapping) else repr(config)
            raise ValueError(f"backbone_start has {found}; it is a dictionary of {', '.join(known)}.")
        checkpoint = config.get("checkpoint")
        if None not in (self.checkpoint, checkpoint) and self.checkpoint != checkpoint:
            raise ValueError(
                f"LoadBackboneHook in custom_hooks names {self.checkpoint}, backbone_start names {checkpoint}: remove"
                " one of the two."
            )
        return replace(self, **{"checkpoint": self.checkpoint, **config})

    def load(self, module: nn.Module, preprocessing: Preprocessing | None = None) -> LoadReport:
        """Load the checkpoint into a backbone.

        Args:
            module: The backbone.
            preprocessing: Of the model, where these settings do not say it.

        Raises:
            BackboneNotLoaded, ValueError: As `load_backbone` does; ValueError also if there is no checkpoint.
        """
        if self.checkpoint is None:
            raise ValueError("there is no checkpoint to start from: set backbone_start.checkpoint.")
        if self.preprocessing is not None:
            preprocessing = Preprocessing(**self.preprocessing, origin="backbone_start")
        return load_backbone(
            module,
            self.checkpoint,
            self.prefix,
            self.policy,
            entry=self.entry,
            preprocessing=preprocessing,
            check_preprocessing=self.check_preprocessing,
            reset_offsets=self.reset_offsets,
        )
