"""SUN-397 (Xiao et al., 2010) with its ten official partitions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mmpretrain.datasets import SUN397 as MMPretrainSUN397

from mmdetpre.datasets.classification.dataset import require_split
from mmdetpre.datasets.images.lists import file_statuses
from mmdetpre.registry import DATASETS
from mmdetpre.utils.text_files import read_lines


@DATASETS.register_module()
class SUN397(MMPretrainSUN397):
    """mmpretrain's ``SUN397`` that knows all partitions and says at the start which files are missing.

    The layout is mmpretrain's: ``SUN397/a/abbey/sun_*.jpg`` and ``Partitions/Training_01.txt``. Some images are GIF or
    PNG files whatever they are called: load them with ``imdecode_backend="pillow"``.

    Args:
        data_root: Folder that holds ``SUN397`` and ``Partitions``.
        split: ``"train"`` or ``"test"``: 50 images of each of the 397 classes, 19,850.
        partition: 1 to 10. The paper uses the first.
        check_files: False does not look whether the images are there.
        **kwargs: As for mmpretrain's ``BaseDataset``, such as ``pipeline`` and ``indices``.

    Raises:
        FileNotFoundError: If the list, or images that it names, are missing.
        ValueError: If split or partition are unknown, or the list names a class that SUN-397 does not have.
    """

    def __init__(
        self, data_root: str, split: str = "train", partition: int = 1, check_files: bool = True, **kwargs: Any
    ) -> None:
        require_split(split, ("train", "test"))
        if partition not in range(1, 11):
            raise ValueError(f"partition is {partition}: SUN-397 has 1 to 10.")
        self.partition, self.check_files = partition, check_files
        super().__init__(data_root, split, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Path and label of every image of the split.

        Raises:
            ValueError: Names the line of a list whose folder is not one of the 397 classes.
        """
        name = "Training" if self.split == "train" else "Testing"
        list_file = Path(self.data_root, "Partitions", f"{name}_{self.partition:02d}.txt")
        file_statuses([str(list_file)], named_by="the layout of SUN-397")
        labels = {name: label for label, name in enumerate(self.METAINFO["classes"])}
        images: list[dict[str, Any]] = []
        for number, line in read_lines(list_file, "a list of the partitions of SUN-397"):
            path = line.strip().replace("\\", "/").lstrip("/")
            name = "_".join(path.split("/")[1:-1])
            if name not in labels:
                raise ValueError(
                    f"{list_file}, line {number} names {line!r}: its folder is none of the 397 classes. A line"
                    " reads /a/abbey/sun_aaalbzqrimafwbiv.jpg."
                )
            images.append(dict(img_path=os.path.join(self.img_prefix, path), gt_label=labels[name]))
        if self.check_files:
            file_statuses([str(image["img_path"]) for image in images], named_by=str(list_file))
        return images
