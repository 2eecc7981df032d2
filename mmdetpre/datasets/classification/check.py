"""What of a classification data set is there, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mmdetpre.datasets.classification.caltech256 import Caltech256
from mmdetpre.datasets.classification.class_folders import read_class_folders
from mmdetpre.datasets.classification.class_split import split_images
from mmdetpre.datasets.classification.flowers102 import Flowers102
from mmdetpre.datasets.classification.sun397 import SUN397

_SHOWN = 5
PER_CLASS = 60


@dataclass
class DataCheck:
    """What was found of a data set.

    Attributes:
        name: Of the data set.
        layout: Where its files belong.
        counts: Found and expected count by what is counted: classes, images, images of each split.
        missing: Files that a split names and that are not there.
        problems: What else is wrong, one sentence each.
        images: Paths of the images that are there.
    """

    name: str
    layout: str
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether all is there as it is expected."""
        return not (self.missing or self.problems or any(found != due for found, due in self.counts.values()))

    def __str__(self) -> str:
        lines = [f"{self.name}: {'complete' if self.good else 'NOT complete'}"]
        for what, (found, due) in self.counts.items():
            lines.append(f"  {what:16}{found:>8,}" + (f"   expected {due:,}" if found != due else ""))
        lines += [f"  {problem}" for problem in self.problems]
        if self.missing:
            lines.append(f"  {len(self.missing):,} files are missing:")
            lines += [f"    {path}" for path in sorted(self.missing)[:_SHOWN]] + ["    ..."] * (
                len(self.missing) > _SHOWN
            )
        if not self.good:
            lines.append(f"  The layout:\n{self.layout}")
        return "\n".join(lines)


def check_caltech256(root: str, per_class: int = PER_CLASS, seed: int = 0) -> DataCheck:
    """Count classes (257), images (30,607) and those of the seeded split of Caltech-256: 15,420 and 15,187.

    Args:
        root: Folder of the data set.
        per_class: Number of training images of each class.
        seed: Seed of the split.
    """
    check = DataCheck(
        "Caltech-256",
        f"    {root}/256_ObjectCategories/001.ak47/001_0001.jpg ... 257.clutter/257_0827.jpg\n"
        "    (256_ObjectCategories.tar, unpacked; the split is random, there is no file of it)",
    )
    folder = Path(root, "256_ObjectCategories")
    try:
        images = read_class_folders(folder, Caltech256.FOLDER, Caltech256.IMAGE).images
        check.images = [str(folder / name / file) for name, files in images.items() for file in files]
        check.counts = {"classes": (len(images), 257), "images": (len(check.images), 30_607)}
        train, test = split_images(images, per_class, seed)
        check.counts["train"] = (len(train), 257 * per_class)
        check.counts["test"] = (len(test), 30_607 - 257 * per_class)
    except (OSError, ValueError) as error:
        check.problems.append(str(error))
    return check


def check_sun397(root: str, partition: int = 1) -> DataCheck:
    """Count classes and images of a partition of SUN-397: 397, and 19,850 in each split."""
    check = DataCheck(
        "SUN-397",
        f"    {root}/SUN397/a/abbey/sun_*.jpg ... y/youth_hostel   (SUN397.tar.gz, unpacked)\n"
        f"    {root}/Partitions/Training_01.txt, Testing_01.txt ...   (Partitions.zip, unpacked into Partitions)",
    )
    for split in ("train", "test"):
        try:
            data = SUN397(root, split, partition=partition, check_files=False)
        except (OSError, ValueError) as error:
            check.problems.append(str(error))
        else:
            _count(check, data, split, 19_850, each=50)
    return check


def check_flowers102(root: str) -> DataCheck:
    """Count classes and images of Oxford-102 Flowers: 102, and 1,020, 1,020 and 6,149 in its splits."""
    check = DataCheck(
        "Oxford-102 Flowers",
        f"    {root}/jpg/image_00001.jpg ... image_08189.jpg   (102flowers.tgz, unpacked)\n"
        f"    {root}/setid.mat, imagelabels.mat",
    )
    try:
        for split, due in (("train", 1_020), ("val", 1_020), ("test", 6_149)):
            data = Flowers102(root, split, check_files=False)
            _count(check, data, split, due, each=None if split == "test" else 10)
        check.counts["trainval"] = (check.counts["train"][0] + check.counts["val"][0], 2_040)
    except (OSError, ValueError) as error:
        check.problems.append(str(error))
    return check


CHECKS: dict[str, Callable[..., DataCheck]] = {
    "caltech256": check_caltech256,
    "sun397": check_sun397,
    "flowers102": check_flowers102,
}
"""Name -> function that checks the data set below a root."""


def _count(check: DataCheck, data: SUN397 | Flowers102, split: str, due: int, each: int | None) -> None:
    """Add the counts of a split and which of its files are missing."""
    infos = [data.get_data_info(i) for i in range(len(data))]
    sizes = Counter(info["gt_label"] for info in infos)
    classes = len(data.metainfo["classes"])
    check.counts["classes"] = (min(len(sizes), check.counts.get("classes", (classes,))[0]), classes)
    check.counts[split] = (len(infos), due)
    if each and set(sizes.values()) != {each}:
        check.problems.append(
            f"The classes of {split} have {min(sizes.values())} to {max(sizes.values())} images, not {each}."
        )
    for info in infos:
        (check.images if Path(info["img_path"]).is_file() else check.missing).append(info["img_path"])
