"""Load the label map of an image, and check it."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.datasets.transforms import LoadAnnotations

from mmdetpre.registry import TRANSFORMS


def check_label_map(
    labels: np.ndarray, size: tuple[int, int] | None = None, classes: int | None = None, ignore_index: int = 255
) -> None:
    """Refuse what is no map of class indices.

    Args:
        labels: (h, w) uint8.
        size: Height and width of the image.
        classes: Number of classes.
        ignore_index: Label of void pixels.

    Raises:
        ValueError: In colour, of another size than the image, or with values that are no class.

    Example:
        >>> check_label_map(np.array([[0, 255, 1]], np.uint8), (1, 3), classes=2)
    """
    if labels.ndim != 2:
        raise ValueError(
            f"it has shape {labels.shape}: expected one class index per pixel, as in a palette or grey PNG. Convert"
            " colours to class indices."
        )
    if size is not None and labels.shape != tuple(size):
        raise ValueError(
            f"it has {labels.shape[1]}x{labels.shape[0]} pixels, its image {size[1]}x{size[0]}: one of the two files"
            " was resized or turned."
        )
    if classes is not None:
        found = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
        wrong = found[(found >= classes) & (found != ignore_index)]
        if len(wrong):
            shown = ", ".join(map(str, wrong[:6])) + (", ..." if len(wrong) > 6 else "")
            raise ValueError(
                f"it holds {shown}: expected 0 to {classes - 1}, one per class, and {ignore_index} for void. Name all"
                " classes of the data set in `classes`, or correct the file."
            )


@TRANSFORMS.register_module()
class LoadLabelMap(BaseTransform):
    """``mmseg.LoadAnnotations`` that names the file of a label map that is damaged or is no map of class indices.

    Class indices are read from palette and grey PNG alike. In a test pipeline it stands behind ``Resize``, which would
    otherwise resize the truth as well.

    Required keys: ``seg_map_path``, ``reduce_zero_label``, ``seg_fields``; ``ori_shape`` and ``num_classes`` if there.
    Added keys: ``gt_seg_map`` (h, w) uint8.

    Args:
        ignore_index: Label of void pixels.
        backend_args: Of mmengine's file client.

    Raises:
        ValueError: See :func:`check_label_map`; also if the file is no picture.
        FileNotFoundError: If there is no such file.
    """

    def __init__(self, ignore_index: int = 255, backend_args: dict | None = None) -> None:
        self.ignore_index = ignore_index
        self._load = LoadAnnotations(backend_args=backend_args, imdecode_backend="pillow")

    def transform(self, results: dict) -> dict:
        """Load the label map."""
        path = results["seg_map_path"]
        try:
            results = self._load(results)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"There is no label map {path}.") from error
        except OSError as error:
            raise ValueError(f"The label map {path} cannot be read: damaged, cut off, or no picture.") from error
        try:
            check_label_map(
                results["gt_seg_map"], results.get("ori_shape"), results.get("num_classes"), self.ignore_index
            )
        except ValueError as error:
            raise ValueError(f"Label map {path}: {error}") from error
        return results
