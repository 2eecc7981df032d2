"""Any detector of mmdet with a branch that says where a finer scale should look again."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS as DETECTORS
from mmdet.structures import SampleList
from torch import Tensor

from mmdetpre.registry import MODELS


@MODELS.register_module()
class AutoFocus(BaseDetector):
    """A detector that also learns where its small objects are, for `FocusTTA`.

    It is the detector of type ``detector``, with all its parts and names of weights, and ``focus_head``, whose loss is
    added to its losses. One base file gives the branch to any config of this package::

        _base_ = [..., "../_base_/models/autofocus.py"]

    and any other config writes ``model = dict(type="mmdetpre.AutoFocus", detector="RetinaNet", focus_head=..., ...)``.

    Args:
        detector: Type of the detector, such as ``"mmdetpre.SNIPER"`` or ``"RetinaNet"``.
        focus_head: Config of the branch, ``dict(type="mmdetpre.FocusHead")``; its ``in_channels`` are those that the
            detector's dense head reads.
        model: What else the detector's config has.

    Raises:
        ValueError: If there is no such detector, or it has no dense head that tells ``in_channels``.

    Source: M. Najibi et al., "AutoFocus: Efficient Multi-Scale Inference" (2019).
    """

    def __new__(cls, *args: Any, detector: str = "", **model: Any) -> AutoFocus:
        return super().__new__(_focusing(detector) if cls is AutoFocus else cls)

    def __init__(self, *, detector: str, focus_head: dict, **model: Any) -> None:
        super().__init__(**model)
        if "in_channels" not in focus_head:
            focus_head = dict(focus_head, in_channels=self._channels(detector))
        self.focus_head = MODELS.build(focus_head)
        self._kept: list[tuple[Tensor, ...]] | None = None

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Maps of the detector for images (B, 3, H, W)."""
        maps = super().extract_feat(batch_inputs)
        if self._kept is not None:
            self._kept.append(maps)
        return maps

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Any]:
        """Losses of the detector, and ``loss_focus``.

        Args:
            batch_inputs: (B, 3, H, W), normalized.
            batch_data_samples: Objects of each image, in pixels of the input.
        """
        with self._keeping_maps() as kept:
            losses: dict[str, Any] = super().loss(batch_inputs, batch_data_samples)
        height, width = batch_inputs.shape[2:]
        return losses | self.focus_head.loss(kept[-1], batch_data_samples, (height, width))

    def predict_with_focus(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> tuple[SampleList, Tensor]:
        """Detections in the images (B, 3, H, W), and the probability (B, h, w) that a cell is focus.

        Args:
            batch_inputs: (B, 3, H, W), normalized.
            batch_data_samples: Their meta information; ``pred_instances`` are added, in pixels before the resize.
        """
        with self._keeping_maps() as kept:
            found = self.predict(batch_inputs, batch_data_samples)
        height, width = batch_inputs.shape[2:]
        return found, self.focus_head.probability(kept[-1], (height, width))

    @contextmanager
    def _keeping_maps(self) -> Iterator[list[tuple[Tensor, ...]]]:
        """Meanwhile what `extract_feat` gives is kept: the backbone runs once for detector and branch."""
        kept: list[tuple[Tensor, ...]] = []
        self._kept = kept
        try:
            yield kept
        finally:
            self._kept = None

    def _channels(self, detector: str) -> int:
        for name in ("rpn_head", "bbox_head"):
            channels = getattr(getattr(self, name, None), "in_channels", None)
            if isinstance(channels, int):
                return channels
        raise ValueError(f"{detector} does not tell how many channels its maps have: set model.focus_head.in_channels.")


@functools.cache
def _focusing(detector: str) -> type[AutoFocus]:
    base = DETECTORS.get(detector) if detector else None
    if base is None or not isinstance(base, type) or not issubclass(base, BaseDetector) or issubclass(base, AutoFocus):
        raise ValueError(
            f"model.detector is {detector!r}: give the type of a detector of mmdet or mmdetpre, such as"
            " 'mmdetpre.SNIPER' or 'RetinaNet'."
        )
    return type(f"AutoFocus{base.__name__}", (AutoFocus, base), {})
