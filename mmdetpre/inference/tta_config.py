"""The multi-scale test of a config: its own, or one made of scales and test ranges."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config, ConfigDict

Pairs = Sequence[Sequence[float]]


def multi_scale_config(
    cfg: Config, scales: Pairs | None = None, test_ranges: Pairs | None = None
) -> tuple[ConfigDict, list[ConfigDict]]:
    """Model and pipeline of the multi-scale test.

    Args:
        cfg: Config of any mmdet detector.
        scales: One pair per scale: the shorter image side becomes the smaller number of pixels, unless the longer one
            would exceed the larger. The ``Resize`` of the test pipeline is repeated for each of them. None: the
            config's ``tta_model`` and ``tta_pipeline`` are taken.
        test_ranges: One pair ``(lo, hi)`` per scale, see :class:`mmdetpre.models.MultiScaleTTA`; replaces those of the
            config. None with ``scales``: every scale keeps all sizes.

    Returns:
        The model, with the detector in it, and the pipeline. ``cfg`` is left as it is.

    Raises:
        ValueError: If there is neither ``tta_model`` nor ``scales``, their numbers differ, or the pipeline has no
            ``Resize``.

    Example:
        >>> cfg = Config.fromfile("configs/det/retinanet_chips_coco.py")  # doctest: +SKIP
        >>> model, pipeline = multi_scale_config(cfg, [(1280, 800), (512, 480)])  # doctest: +SKIP
    """
    if scales is None:
        missing = [key for key in ("tta_model", "tta_pipeline") if key not in cfg]
        if missing:
            raise ValueError(
                f"The config has no {' and no '.join(missing)}: give scales, for example [(800, 1280), (480, 512)], or"
                " add a base of configs/_base_/tta to it."
            )
        model, pipeline = copy.deepcopy(cfg.tta_model), copy.deepcopy(cfg.tta_pipeline)
        if test_ranges is not None:
            if model.type.split(".")[-1] not in ("MultiScaleTTA", "FocusTTA"):
                raise ValueError(f"test_ranges do not fit tta_model {model.type!r}: give scales as well.")
            model.test_ranges = test_ranges
    else:
        if test_ranges is not None and len(scales) != len(test_ranges):
            raise ValueError(
                f"{len(scales)} scales but {len(test_ranges)} test_ranges: give one (lo, hi) pair per scale, in the"
                " same order."
            )
        model = ConfigDict(type="mmdetpre.MultiScaleTTA", test_ranges=test_ranges)
        pipeline = _at_scales(get_test_pipeline_cfg(cfg), scales)
    model.module = copy.deepcopy(cfg.model)
    return model, pipeline


def _at_scales(pipeline: Sequence[ConfigDict], scales: Pairs) -> list[ConfigDict]:
    if not scales or any(len(pair) != 2 or min(pair) <= 0 for pair in scales):
        raise ValueError(f"scales is {scales!r}: give pairs of positive numbers of pixels, one per scale.")
    pipeline = copy.deepcopy(list(pipeline))
    for i, step in enumerate(pipeline):
        if step.type.split(".")[-1] == "Resize":
            sizes = [ConfigDict(step, scale=tuple(int(side) for side in pair), keep_ratio=True) for pair in scales]
            views = [sizes, *([following] for following in pipeline[i + 1 :])]
            return [*pipeline[:i], ConfigDict(type="TestTimeAug", transforms=views)]
    steps = ", ".join(step.type for step in pipeline)
    raise ValueError(f"The test pipeline has no Resize to repeat at each scale, only {steps}: write a tta_pipeline.")
