"""Detection data as a command line names them: training part, test part, and what the study calls them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmdetpre.study.custom_data.boxes import OwnBoxes, read_own_boxes
from mmdetpre.study.custom_data.gate import listed
from mmdetpre.study.custom_data.split import in_both, same_files, split_images_by_class
from mmdetpre.utils.plain_text import require_names

_GENERAL = re.compile(
    r"(ann\w*|images?|labels?|masks?|maps|xml|coco|train\w*|instances_\w+|result|main|imagesets|Segmentation\w+|data"
    r"|dataset|classes|\d+_ObjectCategories)",
    re.IGNORECASE,
)
_PARTS = {"--det-images": "images", "--det-test": "test", "--det-test-images": "test_images"}


@dataclass(frozen=True)
class DetectionData:
    """Where boxes are.

    Attributes:
        source: In a format that `mmdetpre.study.custom_data.recognize` knows.
        images: Folder of the images; None: found beside it.
        test: The same of the test images; None: a part of their own, or one that is split off.
        test_images: Folder of the test images; None: as ``images``.
    """

    source: Path
    images: Path | None = None
    test: Path | None = None
    test_images: Path | None = None

    @property
    def title(self) -> str:
        """What the data are called."""
        return data_title(self.source)

    def paths(self) -> list[Path]:
        """All that were named."""
        return [path for path in (self.source, self.images, self.test, self.test_images) if path is not None]

    def read(
        self, split_seed: int = 0, *, leave_out_bad: bool = False, option: str = "--det-images"
    ) -> tuple[OwnBoxes, OwnBoxes]:
        """The training and the test part, checked.

        Args:
            split_seed: Seed of the split, where a test part is split off.
            leave_out_bad, option: As of :func:`~mmdetpre.study.custom_data.boxes.read_own_boxes`.

        Raises:
            FileNotFoundError, ValueError: If something is wrong with the data.
        """
        bad = leave_out_bad
        train = read_own_boxes(self.source, self.images, leave_out_bad=bad, option=option)
        if self.test is not None or train.own_test:
            source, images = self.source, self.images
            if self.test is not None:
                source, images, option = self.test, self.test_images or images, "--det-test-images"
            test = read_own_boxes(source, images, leave_out_bad=bad, classes=train.classes, option=option)
            parts = _without_test_images(train, test, leave_out_bad=bad), test
        else:
            parts = split_off(train, split_seed, advice="Give --det-test, or add images.")
        for part in parts:
            require_names(part.classes, f"{part.title}: the category")
            require_names(part.files, f"{part.title}: the image")
        return parts


def data_of_options(options: Sequence[tuple[str, str]]) -> tuple[list[DetectionData], dict[str, DetectionData]]:
    """Detection data of options in their order; those of a part belong to the data before them, or to the only ones.

    Args:
        options: Pairs such as ``("--det", "my_coco.json")``.

    Returns:
        Data of tasks, and key -> data of pre-trainings.

    Raises:
        ValueError: If a part belongs to nothing, or is given twice.

    Example:
        >>> options = [("--det", "a.json"), ("--det-images", "a"), ("--pretrain", "coco=b.json")]
        >>> tasks, pretrainings = data_of_options(options)
        >>> [str(data.images) for data in tasks], list(pretrainings)
        (['a'], ['coco'])
    """
    sources = [i for i, (name, _) in enumerate(options) if name not in _PARTS]
    parts: dict[int, dict[str, Path]] = {i: {} for i in sources}
    for i, (name, value) in enumerate(options):
        if name not in _PARTS:
            continue
        owner = sources[0] if len(sources) == 1 else max((at for at in sources if at < i), default=None)
        if owner is None:
            raise ValueError(f"{name} needs --det." if not sources else f"{name} {value} stands before any --det.")
        if _PARTS[name] in parts[owner]:
            raise ValueError(f"{name} is given twice for {options[owner][1]}: give each after its own --det.")
        parts[owner][_PARTS[name]] = Path(value)
    tasks, pretrainings = [], {}
    for i in sources:
        name, value = options[i]
        if name == "--det":
            tasks.append(DetectionData(Path(value), **parts[i]))
            continue
        key, _, source = value.partition("=")
        if not source or key in pretrainings:
            raise ValueError(f"--pretrain {value} has not the form KEY=DATA, each with its own KEY.")
        pretrainings[key] = DetectionData(Path(source), **parts[i])
    return tasks, pretrainings


def data_title(source: Path) -> str:
    """What data are called: the nearest name of the path that says more than that here are annotations.

    Example:
        >>> data_title(Path("data/kangaroo/annots")), data_title(Path("VOC2012/ImageSets/Main/train.txt"))
        ('kangaroo', 'VOC2012')
    """
    path = Path(os.path.abspath(source))
    names = [path.name if path.is_dir() or not path.suffix else path.stem, *(parent.name for parent in path.parents)]
    return next((name for name in names if name and not _GENERAL.fullmatch(name)), names[0])


def task_names(stem: str, titles: Sequence[str]) -> Iterator[str]:
    """Names of tasks: the stem where there is one, else with the title of each.

    Example:
        >>> list(task_names("own_det", ["kangaroo"])), list(task_names("own_det", ["my photos", "My Photos"]))
        (['own_det'], ['own_det_my_photos', 'own_det_my_photos_2'])
    """
    taken: set[str] = set()
    for title in titles:
        plain = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
        name = f"{stem}_{plain}".rstrip("_") if len(titles) > 1 else stem
        number = 2
        while name in taken:
            name, number = f"{stem}_{plain}_{number}", number + 1
        taken.add(name)
        yield name


def split_off(train: OwnBoxes, seed: int, share: float = 0.2, *, advice: str) -> tuple[OwnBoxes, OwnBoxes]:
    """Split a part off for a test, copies of one photo together and every class in both parts where that is possible.

    Args:
        train: All images.
        seed: Seed of the split.
        share: Share of the images that are split off.
        advice: What a user can do where that fails.

    Raises:
        ValueError: If there are too few images.
    """
    shown: list[set[int]] = [set() for _ in train.files]
    for box in train.boxes[~train.boxes["crowd"]]:
        shown[box["image"]].add(int(box["label"]))
    try:
        rows = split_images_by_class(train.files, same_files(train.paths()), shown, share, seed)
    except ValueError as error:
        raise ValueError(f"{train.source}: {error} {advice}") from error
    return train.of_images(rows[0]), train.of_images(rows[1])


def _without_test_images(train: OwnBoxes, test: OwnBoxes, *, leave_out_bad: bool) -> OwnBoxes:
    """The training part; photos that the test part has too are refused, or left out of it."""
    paths, first = [*train.paths(), *test.paths()], len(train.files)
    both = in_both(paths, first)
    if both and not leave_out_bad:
        pairs = listed([f"{paths[g[0]].name} = {paths[g[-1]].name}" for g in both])
        raise ValueError(
            f"{len(both)} images are in {train.title} and in {test.title} as well: {pairs}. Take them out of one of the"
            " two: the test would know them. Or add --leave-out-bad to take them out of the training part."
        )
    if not both:
        return train
    known = {i for group in both for i in group}
    kept = [i for i in range(first) if i not in known]
    if not kept or not np.isin(train.boxes["image"], kept).any():
        raise ValueError(f"{train.title}: no box is left to train on, all its images are in {test.title} as well.")
    train.left_out["training images that are test images as well"] = first - len(kept)
    return train.of_images(kept)
