"""Load the label map of an image, and check it."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from mmdetpre.datasets.label_maps.files import check_label_map, decode_label_map
from mmdetpre.registry import TRANSFORMS
from mmdetpre.storage.read import read_bytes
from mmdetpre.storage.retry import StorageError


@TRANSFORMS.register_module()
class LoadLabelMap(BaseTransform):
    """``mmseg.LoadAnnotations`` that names the file of a label map that is damaged or is not a map of class indices.

    Class indices are read from palette and gray pictures alike, with the values of the file: mmseg takes those of files
    with 16 bits modulo 256. In a test pipeline it stands behind ``Resize``, which would otherwise resize the truth as
    well.

    Required keys: ``seg_map_path``, ``seg_fields``; ``reduce_zero_label``, ``label_map``, ``ori_shape`` and
    ``num_classes`` if there. Added keys: ``gt_seg_map`` (h, w) uint8, wider where there are labels above 255.

    Args:
        ignore_index: Label of void pixels.
        backend_args: Of mmengine's file client.

    Raises:
        ValueError: See :func:`mmdetpre.datasets.label_maps.files.check_label_map`; also if the file is not a picture.
        FileNotFoundError: If there is no such file.
    """

    def __init__(self, ignore_index: int = 255, backend_args: dict | None = None) -> None:
        self.ignore_index, self.backend_args = ignore_index, backend_args

    def transform(self, results: dict) -> dict:
        """Load the label map.

        Raises:
            FileNotFoundError: If there is no such label map.
            ValueError: If it cannot be read, has another size than its image, or a value that is not a class.
        """
        path = results["seg_map_path"]
        try:
            data = read_bytes(path, self.backend_args)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"There is no label map {path}.") from error
        except StorageError:
            raise
        except OSError as error:
            raise ValueError(f"The label map {path} cannot be read ({error}).") from error
        try:
            labels = self._as_trained(decode_label_map(data), results)
            check_label_map(labels, results.get("ori_shape"), results.get("num_classes"), self.ignore_index)
        except ValueError as error:
            raise ValueError(f"Label map {path}: {error}") from error
        results["gt_seg_map"] = labels
        results["seg_fields"].append("gt_seg_map")
        return results

    def _as_trained(self, labels: np.ndarray, results: dict) -> np.ndarray:
        """As mmseg's data sets ask for: without the zero label, and with the labels of chosen classes."""
        found = labels
        if results.get("reduce_zero_label"):
            void = (found == 0) | (found == self.ignore_index)
            labels = np.where(void, self.ignore_index, found.astype(np.int64) - 1).astype(found.dtype)
        if results.get("label_map"):
            found = labels
            labels = found.copy()
            for old, new in results["label_map"].items():
                labels[found == old] = new
        return labels
