"""Multi-scale detection in images, from a config and a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmdet.registry import MODELS, TRANSFORMS
from mmdet.structures import DetDataSample
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope

from mmdetpre.backbones.change import with_chosen_backbone
from mmdetpre.inference.load_weights import load_whole
from mmdetpre.inference.tta_config import Pairs, multi_scale_config
from mmdetpre.models.focus_tta import FocusTTA, FocusView
from mmdetpre.utils.read_config import ConfigSource, read_config

Image = str | Path | np.ndarray


class MultiScaleDetector:
    """A detector of any mmdet config with its multi-scale test.

    Args:
        config: Path of a config, or the config.
        checkpoint: Path of its checkpoint.
        scales: See :func:`mmdetpre.inference.tta_config.multi_scale_config`; needed where the config has no
            ``tta_model``.
        test_ranges: Sizes that are kept of each scale; None: those of the config, or all sizes with ``scales``.
        device: Such as ``"cuda:0"`` or ``"cpu"``; None: the GPU if there is one.
        cfg_options: Values (dotted keys) to change in the config.

    Attributes:
        classes: Class names, from the checkpoint, else from the config, else ``class 0`` and so on.

    Raises:
        FileNotFoundError: If config or checkpoint is missing.
        ValueError: If the checkpoint has another class count, belongs to another model or lacks weights, or if scales
            and ranges do not fit.

    Example:
        >>> detector = MultiScaleDetector(
        ...     "configs/det/sniper_openimages_sample.py", "work_dirs/demo/epoch_2.pth"
        ... )  # doctest: +SKIP
        >>> detector.detect("photo.jpg").pred_instances.bboxes.shape  # doctest: +SKIP
        torch.Size([38, 4])
    """

    def __init__(
        self,
        config: ConfigSource,
        checkpoint: str | Path,
        *,
        scales: Pairs | None = None,
        test_ranges: Pairs | None = None,
        device: str | None = None,
        cfg_options: dict[str, Any] | None = None,
    ) -> None:
        cfg = with_chosen_backbone(read_config(config, cfg_options))
        model_cfg, pipeline = multi_scale_config(cfg, scales, test_ranges)
        if pipeline[0].type.split(".")[-1] != "LoadImageFromFile":
            raise ValueError(f"The pipeline begins with {pipeline[0].type}: expected LoadImageFromFile.")
        color = pipeline[0].get("color_type", "color").removesuffix("_ignore_orientation")
        # Photos are turned upright, whatever the sizes in the annotations of a test set ask for.
        with DefaultScope.overwrite_default_scope(cfg.get("default_scope", "mmdet")):
            self._load = TRANSFORMS.build(dict(pipeline[0], color_type=color))
            self._transform = Compose(pipeline[1:])
            self.model = MODELS.build(model_cfg)
        self.classes = list(load_whole(cfg, self.model.module, _file(checkpoint, "checkpoint")))
        self.model.to(device or get_device()).eval()

    @torch.no_grad()
    def detect(
        self, images: Image | Sequence[Image], *, channels: str = "bgr", batch_size: int = 1
    ) -> DetDataSample | list[DetDataSample]:
        """Detections in one image or in several.

        Args:
            images: Path of an image file, (h, w, 3) uint8 pixels, or a list of them.
            channels: Order of the channels of arrays, ``"bgr"`` as OpenCV reads them or ``"rgb"`` as Pillow does.
            batch_size: Images that pass the detector together at each scale; those of different size are padded.

        Returns:
            A sample per image (a single one for a single image), with ``pred_instances``: ``bboxes`` (n, 4) in pixels
            of the image, ``scores`` (n,) in descending order, ``labels`` (n,).

        Raises:
            FileNotFoundError: If an image is missing.
            ValueError: If an image cannot be read, or an array is not an image.
        """
        if channels not in ("bgr", "rgb"):
            raise ValueError(f"channels is {channels!r}: known are 'bgr' and 'rgb'.")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}: give a positive number.")
        several = isinstance(images, (list, tuple))
        wanted: Sequence[Image] = images if several else [images]  # type: ignore[assignment,list-item]
        found: list[DetDataSample] = []
        for start in range(0, len(wanted), batch_size):
            part = [self._prepare(image, channels) for image in wanted[start : start + batch_size]]
            found += self.model.test_step(pseudo_collate(part))
        return found if several else found[0]

    @torch.no_grad()
    def look(self, image: Image, *, channels: str = "bgr") -> tuple[DetDataSample, list[FocusView]]:
        """What each scale shows of an image in a test from coarse to fine, and the detections that `detect` gives.

        Args:
            image: As for `detect`.
            channels: Likewise.

        Returns:
            The sample, and one `FocusView` per scale, coarsest first.

        Raises:
            ValueError: If the config's ``tta_model`` is not `FocusTTA`.
        """
        if not isinstance(self.model, FocusTTA):
            raise ValueError(
                f"The config tests by {type(self.model).__name__}: only mmdetpre.FocusTTA goes from coarse to fine."
                " Take a config with ../_base_/models/autofocus.py and ../_base_/tta/autofocus_three_scales.py."
            )
        [(sample, views)] = self.model.look(pseudo_collate([self._prepare(image, channels)]))
        return self.model.merge_looks(sample, views), views

    def _prepare(self, image: Image, channels: str) -> dict:
        if isinstance(image, np.ndarray):
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise ValueError(f"The image is {image.dtype} of shape {image.shape}: expected uint8 of (h, w, 3).")
            pixels = image if channels == "bgr" else np.ascontiguousarray(image[..., ::-1])
            pixels = pixels.astype(np.float32) if self._load.to_float32 else pixels
            results = dict(img=pixels, img_path=None, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        else:
            path = str(_file(image, "image"))
            try:
                results = self._load(dict(img_path=path))
            except (AssertionError, cv2.error, OSError) as error:  # mmcv asserts that OpenCV returned pixels
                raise ValueError(f"The image {path} cannot be read: damaged, cut off, or no image.") from error
        return self._transform(dict(results, img_id=0))


def _file(path: str | Path, kind: str) -> Path:
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no {kind} {path}.")
    return Path(path)
