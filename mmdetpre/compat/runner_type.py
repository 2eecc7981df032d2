"""The Runner that a config names, also under a script that builds mmengine's: ``test.py`` of mmsegmentation."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from mmdetpre.utils.when_imported import when_imported

OURS = "mmdetpre.ConfigRunner"


def take_named_runner() -> None:
    """Have ``Runner.from_cfg`` build our Runner of a config that names it, as ``RUNNERS.build`` does."""
    when_imported("mmengine.runner.runner", _take)


def _take(module: ModuleType) -> None:
    base = module.Runner
    build = base.from_cfg.__func__

    @wraps(build)
    def from_cfg(cls: type, cfg: Any) -> Any:
        if cls is base and cfg.get("runner_type") == OURS:
            from mmdetpre.registry import RUNNERS

            return RUNNERS.get(OURS).from_cfg(cfg)  # type: ignore[union-attr]
        return build(cls, cfg)

    base.from_cfg = classmethod(from_cfg)
