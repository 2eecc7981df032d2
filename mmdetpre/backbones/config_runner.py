"""The Runner of the package's configs, which the toolboxes' ``train.py`` and ``test.py`` build where a config names it.

runner_type = "mmdetpre.ConfigRunner"
"""

from __future__ import annotations

from typing import Any

from mmengine.runner import Runner

from mmdetpre.backbones.change import with_chosen_backbone
from mmdetpre.compat.gpu_settings import GpuSettings, has_gpu
from mmdetpre.datasets.label_fraction import take_fraction
from mmdetpre.registry import RUNNERS
from mmdetpre.transfer.backbone_init import chosen_init
from mmdetpre.transfer.find_backbone import find_backbone
from mmdetpre.transfer.trainable_stages import freeze_stages
from mmdetpre.utils.read_config import move_data, set_image_backend
from mmdetpre.utils.stages import TRAINABLE

__all__ = ["ConfigRunner"]
_NAMED = ("runtime_info", "timer", "sampler_seed", "logger", "param_scheduler", "checkpoint")
"""Hooks that mmengine adds by itself, unless they are ``None``."""


@RUNNERS.register_module()
class ConfigRunner(Runner):
    """mmengine's Runner for configs whose variables can be changed after they were read.

    * ``model.backbone.name`` and ``backbone_init`` change the backbone, see `mmdetpre.backbones`; the config in the
      work dir and in checkpoints is that of the changed model.
    * A ``data_root`` that is not the ``default_data_root`` moves every path of data sets and metrics below that.
    * ``label_fraction`` keeps a part of the training images, see `mmdetpre.datasets.label_fraction`.
    * ``trainable_stages`` freezes all of the backbone but its last stages, see `mmdetpre.transfer.trainable_stages`.
    * ``img_backend_args`` says what all images are read by, such as tar shards or addresses.
    * ``default_hooks.NAME=None`` takes out any hook, not only mmengine's own.
    * Where there is a GPU, it is used as the key ``gpu`` says, see `GpuSettings`.
    * A config of before, whose ``custom_hooks`` repeat hooks of ``_base_/runtime.py``, runs them once, with a warning.
    """

    @classmethod
    def from_cfg(cls, cfg: Any) -> Runner:
        """Build a runner from a config, which is left as it is."""
        cfg = with_chosen_backbone(cfg)
        move_data(cfg)
        set_image_backend(cfg)
        take_fraction(cfg)
        gpu = GpuSettings.of(cfg)
        if has_gpu():
            gpu.pin_batches(cfg)
        hooks = cfg.get("default_hooks") or {}
        repeated = {hook.get("type") for hook in cfg.get("custom_hooks") or [] if hasattr(hook, "get")}
        twice = [
            name
            for name, hook in hooks.items()
            if name not in _NAMED and hook is not None and str(hook["type"]).startswith("mmdetpre.")
            and hook["type"] in repeated
        ]  # fmt: skip
        for name in [name for name, hook in hooks.items() if name in twice or (hook is None and name not in _NAMED)]:
            del hooks[name]
        runner = super().from_cfg(cfg)
        if has_gpu():
            gpu.apply(runner.model)
            runner.logger.info(f"The GPU is used with {gpu}.")
        if twice:
            runner.logger.warning(
                f"custom_hooks repeat {', '.join(twice)} of default_hooks and replace them, in this release only:"
                f" change default_hooks.{twice[0]} instead. custom_hooks is for hooks of your own."
            )
        return runner

    def build_model(self, model: Any) -> Any:
        """mmengine's, with the backbone frozen as ``trainable_stages`` says, before anything is wrapped around it.

        Args:
            model: Its config, or the model itself.

        Raises:
            ValueError: If the number of stages cannot be trained, or the model has no such backbone.
        """
        built = super().build_model(model)
        if (trainable := self.cfg.get(TRAINABLE)) is not None:
            place = (chosen_init(self.cfg) or {}).get("backbone", "backbone")
            freeze_stages(find_backbone(built, place), trainable)
        return built

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """mmengine's, in bfloat16 where the config wants it and the GPU has it; the log says so.

        Args:
            optim_wrapper: Its config, or the wrapper itself.
        """
        gpu = GpuSettings.of(self.cfg)
        chosen = gpu.optim_wrapper(optim_wrapper)
        if chosen is not optim_wrapper:
            self.logger.info(
                "The GPU has bfloat16: AmpOptimWrapper(dtype='bfloat16') stands in for OptimWrapper. gpu.bfloat16=False"
                " trains in float32."
            )
        return super().build_optim_wrapper(chosen)
