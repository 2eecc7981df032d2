"""Oxford-102 Flowers (Nilsback and Zisserman, 2008) with its official split."""

from __future__ import annotations

from typing import Any

from mmpretrain.datasets import Flowers102 as MMPretrainFlowers102
from torchvision.datasets import Flowers102 as TorchvisionFlowers102

from mmdetpre.datasets.classification.dataset import require_split
from mmdetpre.datasets.classification.mat_file import read_whole_numbers
from mmdetpre.datasets.images.lists import file_statuses
from mmdetpre.registry import DATASETS


@DATASETS.register_module()
class Flowers102(MMPretrainFlowers102):
    """mmpretrain's ``Flowers102`` with names of the classes, that says at the start which files are missing.

    The layout is the original one: ``jpg/image_00001.jpg``, ``setid.mat``, ``imagelabels.mat``.

    Args:
        data_root: Folder that holds them.
        split: ``"trainval"`` (2,040 images; the paper trains on them), ``"train"`` and ``"val"`` (1,020 each), or
            ``"test"`` (6,149).
        check_files: False does not look whether the images are there.
        **kwargs: As for mmpretrain's ``BaseDataset``, such as ``pipeline`` and ``indices``.

    Raises:
        FileNotFoundError: If one of the two lists, or images that they name, are missing.
        ValueError: If the split is unknown, or the two lists do not fit each other.
    """

    METAINFO = {"classes": tuple(TorchvisionFlowers102.classes)}

    def __init__(self, data_root: str, split: str = "trainval", check_files: bool = True, **kwargs: Any) -> None:
        require_split(split, ("train", "val", "trainval", "test"))
        self.check_files = check_files
        super().__init__(data_root, split, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Path and label of every image of the split.

        Raises:
            ValueError: If labels and split do not fit each other.
        """
        file_statuses([self.ann_file, self.train_test_split_file], named_by="the layout of Oxford-102 Flowers")
        labels = read_whole_numbers(self.ann_file, "labels")
        parts = (
            ("trnid", "valid")
            if self.split == "trainval"
            else ({"train": "trnid", "test": "tstid"}.get(self.split, "valid"),)
        )
        numbers = [number for part in parts for number in read_whole_numbers(self.train_test_split_file, part)]
        for number in numbers:
            if not 1 <= number <= len(labels) or not 1 <= labels[number - 1] <= len(self.METAINFO["classes"]):
                found = labels[number - 1] if 1 <= number <= len(labels) else "none"
                raise ValueError(
                    f"{self.train_test_split_file} and {self.ann_file} do not fit each other: of image {number} the"
                    f" label is {found}, expected 1 to {len(self.METAINFO['classes'])}; there are {len(labels)} labels."
                    " Take both files from one release."
                )
        images = [
            dict(
                img_path=self.backend.join_path(self.img_prefix, f"image_{number:05d}.jpg"),
                gt_label=labels[number - 1] - 1,
            )
            for number in numbers
        ]
        if self.check_files:
            file_statuses([image["img_path"] for image in images], named_by=self.train_test_split_file)
        return images
