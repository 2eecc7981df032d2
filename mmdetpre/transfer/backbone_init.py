"""The initialization of a backbone: the settings of a hook, and of a config's ``backbone_init``."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, fields, replace
from typing import Any

from torch import nn

from mmdetpre.transfer.load_backbone import POLICIES, load_backbone
from mmdetpre.transfer.load_report import LoadReport
from mmdetpre.transfer.preprocessing import Preprocessing
from mmdetpre.utils.plain_config import PlainConfig

KEY, TABLE, CHANGES = "backbone_init", "backbone_inits", "changes"
"""Keys of a config: the initialization, those that can be chosen by name; of one of these: what else it changes."""
OLD_KEY = "backbone_start"
"""What ``backbone_init`` was called first; read for one release more, with a warning."""


def chosen_init(config: Mapping[str, Any]) -> PlainConfig | None:
    """The settings of ``backbone_init`` of a config, with what its name stands for.

    ``backbone_init`` is a dictionary of the arguments of `BackboneInit`, or has a ``name``, or is a text: a name of the
    config's table ``backbone_inits``, or a file. A file or other settings beside a name win over those of the table,
    and without a table a name is a title. An entry of the table that is a text says why the name is not to be had, and
    what to use instead. Its ``changes`` are those of the config, see `apply_changes`.

    Args:
        config: The config of a training.

    Returns:
        Arguments of `BackboneInit`; None if the config has no such key.

    Raises:
        ValueError: If the name is not in the table, or not to be had.

    Example:
        >>> config = {"backbone_init": "coco", "backbone_inits": {"coco": {"checkpoint": "coco.pth"}}}
        >>> chosen_init(config)
        {'checkpoint': 'coco.pth', 'name': 'coco'}
    """
    given = config.get(OLD_KEY) or config.get(KEY)
    if given is None or not isinstance(given, str | Mapping):
        return given
    table = config.get(TABLE) or {}
    if isinstance(given, str):
        given = {"name": given} if given in table or not _is_file(given) else {"checkpoint": given}
    settings = {key: value for key, value in given.items() if key != "name"}
    name = given.get("name")
    if name is None:
        return settings
    if settings.get("checkpoint") is not None:  # of a table, the name is that of another file
        return settings if table else {**settings, "name": name}
    if name not in table:
        choices = (
            ", ".join(key for key, entry in table.items() if not isinstance(entry, str)) or "none, it has no table"
        )
        raise ValueError(
            f"{KEY}={name!r} is not known to this config; choose one of {choices}, or a file: {KEY}.checkpoint=FILE."
        )
    if isinstance(table[name], str):
        raise ValueError(f"{KEY}={name!r} is not for this config: {table[name]}.")
    entry = {key: value for key, value in table[name].items() if key != CHANGES}
    return {**entry, **settings, "name": name}


def apply_changes(config: MutableMapping[str, Any]) -> None:
    """Change a config as the entry of its chosen initialization asks for, in place; twice is once.

    Without weights nothing may be frozen, and a frozen classification network keeps the strides it was trained with: an
    entry of ``backbone_inits`` says so by ``changes``, dotted keys of the config with their values.

    Args:
        config: The config of a training, or of a test by ``--tta``, whose model is wrapped.

    Example:
        >>> scratch = {"checkpoint": None, "changes": {"model.backbone.frozen_stages": -1}}
        >>> config = {"model": {"backbone": {"frozen_stages": 1}}, "backbone_inits": {"scratch": scratch}}
        >>> apply_changes(config | {"backbone_init": "scratch"})
        >>> config["model"]
        {'backbone': {'frozen_stages': -1}}
    """
    entry = (config.get(TABLE) or {}).get((chosen_init(config) or {}).get("name"))
    changes = entry.get(CHANGES) if isinstance(entry, Mapping) else None
    for key, value in (changes or {}).items():
        *path, last = key.split(".")
        place = config
        for name in path:
            place = place[name]
            while name == "model" and isinstance(place.get("module"), Mapping):
                place = place["module"]
        place[last] = copy.deepcopy(value)


def _is_file(text: str) -> bool:
    return "/" in text or os.path.splitext(text)[1] != ""


@dataclass(frozen=True)
class BackboneInit:
    """Arguments of `mmdetpre.transfer.load_backbone` in plain values, as configs hold them.

    Attributes:
        checkpoint: Path or address of the file; None: from scratch.
        backbone: Where the backbone is in the model.
        name: What the config calls it, for the report; None: nothing.
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
    name: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.checkpoint, str | os.PathLike | None):
            raise ValueError(
                f"checkpoint={self.checkpoint!r} is not a path. A comma in a path on the command line makes a list;"
                " rename the file."
            )
        if self.policy not in POLICIES:
            raise ValueError(f"policy={self.policy!r} is unknown; choose one of {', '.join(map(repr, POLICIES))}.")

    def changed_by(self, config: Mapping[str, Any] | None) -> BackboneInit:
        """These settings, changed by those of a config.

        Args:
            config: What `chosen_init` gives of the config; None if it has none.

        Raises:
            ValueError: If it has unknown keys, or another checkpoint where there is one already.

        Example:
            >>> BackboneInit(policy="warn").changed_by({"checkpoint": "backbone.pth"}).policy
            'warn'
        """
        if config is None:
            return self
        known = [field.name for field in fields(self)]
        if not isinstance(config, Mapping) or not set(config) <= set(known):
            found = ", ".join(sorted(set(config) - set(known))) if isinstance(config, Mapping) else repr(config)
            raise ValueError(f"backbone_init has {found}; it is a dictionary of {', '.join(known)}.")
        checkpoint = config.get("checkpoint")
        if None not in (self.checkpoint, checkpoint) and self.checkpoint != checkpoint:
            raise ValueError(
                f"LoadBackboneHook in custom_hooks names {self.checkpoint}, backbone_init names {checkpoint}: remove"
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
            raise ValueError("there is no checkpoint to load: set backbone_init.checkpoint.")
        if self.preprocessing is not None:
            preprocessing = Preprocessing(**self.preprocessing, origin="backbone_init")
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
