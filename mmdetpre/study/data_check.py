"""The data of a study, checked before anything is trained: is all of it there, and how much is it?"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmdetpre.datasets.from_config import open_dataset
from mmdetpre.datasets.images.backend_args import image_backend_args
from mmdetpre.datasets.images.decode_check import broken_images
from mmdetpre.study.layout import write_json_if_changed
from mmdetpre.study.records import DATA_FORMAT
from mmdetpre.study.spec import SCRATCH, Study
from mmdetpre.utils.read_config import read_config
from mmdetpre.utils.results import Json

_SHOWN = 10


@dataclass
class DataSource:
    """Data of a study.

    Attributes:
        key: Of the task, or of the initialization that is pre-trained on them.
        title: In Table 1.
        config: Config that names them.
        roles: Tasks that use them, or ``pretraining``.
        options: Config values by dotted key.
    """

    key: str
    title: str
    config: Path
    roles: list[str] = field(default_factory=list)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PartSize:
    """A part of some data.

    Attributes:
        images, objects, classes: Their numbers; ``objects`` is None where there is nothing to count.
        root: Folder.
        broken: Images that cannot be decoded.
    """

    images: int
    objects: int | None
    classes: int
    root: str
    broken: int


@dataclass(frozen=True)
class CheckedData:
    """Data that were opened, counted and decoded; ``train`` or ``test`` is None where there is no such part."""

    source: DataSource
    train: PartSize | None
    test: PartSize | None

    def to_dict(self) -> dict[str, Json]:
        """An entry of ``data.json``."""
        parts: dict[str, Json] = {}
        for name, part in (("train", self.train), ("test", self.test)):
            broken: dict[str, Json] = {"broken": part.broken} if part and part.broken else {}
            parts[name] = broken | {"images": part.images, "objects": part.objects} if part else None
        return {
            "key": self.source.key,
            "title": self.source.title,
            "roles": list(self.source.roles),
            "classes": max(part.classes for part in (self.train, self.test) if part),
            **parts,
            "root": self.train.root if self.train else "",
            "config": str(self.source.config),
        }

    def __str__(self) -> str:
        sizes = []
        for name, part in (("train", self.train), ("test", self.test)):
            if part:
                boxes = "" if part.objects is None else f", {part.objects:,} boxes"
                broken = f", {part.broken:,} of them broken" if part.broken else ""
                sizes.append(f"{name} {part.images:,} images{boxes}{broken}")
        root, classes = self.train.root if self.train else "", self.to_dict()["classes"]
        return f"{self.source.title}: {classes} classes; {'; '.join(sizes)}  ({root})"


def data_sources(study: Study) -> list[DataSource]:
    """The data that a study uses, each config once."""
    found: dict[tuple[Path, str], DataSource] = {}

    def add(key: str, title: str, config: Path, role: str, options: Mapping[str, Any]) -> None:
        entry = found.setdefault((config, repr(options)), DataSource(key, title, config, [], options))
        entry.roles.append(role)

    for init in study.inits.values():
        if init.config and init.pretrained_here:
            title = f"{init.title} (pre-training)"
            add(f"pretraining_{init.key}", title, init.config.path, "pretraining", init.options)
    for task in (task for task in study.tasks.values() if not task.rows_of):
        first = task.configs.get(SCRATCH) or next(iter(task.configs.values()), None)
        config = task.data_config or (first.path if first else None)
        if config:
            add(task.key, task.title, config, task.key, task.options)
    return list(found.values())


def check_data(study: Study, *, leave_out_bad: bool = False) -> list[CheckedData]:
    """Open all data, count them, and decode every image; those that were decoded before and have not changed are known.

    Of images that chips are cut from as many may be broken as ``max_broken`` allows; training replaces and counts them.

    Args:
        study: The study.
        leave_out_bad: Continue with broken test images: tests skip them, and their results say so.

    Raises:
        FileNotFoundError: Lists all that is missing or broken, and where it belongs.
    """
    found, missing = [], []
    for source in data_sources(study):
        try:
            cfg = read_config(source.config, source.options)
            train, test = (_count(cfg, part, leave_out_bad) for part in ("train", "test"))
            found.append(CheckedData(source, train, test))
        except (OSError, ValueError) as error:
            missing.append(f"* {source.title} ({source.config.name}): {error}")
    if missing:
        raise FileNotFoundError(
            "Nothing was trained, because data of the study are not as they should be:\n" + "\n".join(missing)
        )
    return found


def write_data(out: Path, data: list[CheckedData]) -> None:
    """Write ``data.json``, from which Table 1 is made, if it changed."""
    content = {"format": DATA_FORMAT, "data": [entry.to_dict() for entry in data]}
    write_json_if_changed(out / "data.json", content)


def _count(cfg: Config, part: str, leave_out_bad: bool) -> PartSize | None:
    if not cfg.get(f"{part}_dataloader"):
        return None
    dataset = open_dataset(cfg, part, inner=True)
    table = getattr(dataset, "packed", None)
    classes = (getattr(dataset, "metainfo", None) or {}).get("classes") or ()
    broken = _broken(dataset, _allowed(cfg, part, len(dataset), leave_out_bad), part)
    objects = None if table is None else len(table.boxes)
    return PartSize(len(dataset), objects, len(classes), str(getattr(dataset, "data_root", "") or ""), broken)


def _allowed(cfg: Config, part: str, images: int, leave_out_bad: bool) -> int:
    """How many images may be broken."""
    if part == "test":
        return images - 1 if leave_out_bad else 0
    limit = cfg.train_dataloader.dataset.get("max_broken", 100 if "chips" in cfg.train_dataloader.dataset else 0)
    return math.floor(limit * images) if isinstance(limit, float) else int(limit)


def _broken(dataset: Any, allowed: int, part: str) -> int:
    """Number of images that cannot be decoded.

    Raises:
        ValueError: If more are broken than is allowed; names the first.
    """
    if image_backend_args(dataset) is not None or not hasattr(dataset, "get_data_info"):
        return 0  # images elsewhere are fetched by training
    paths = [str(dataset.get_data_info(i).get("img_path", "")) for i in range(len(dataset))]
    reasons = broken_images([path for path in paths if path and "://" not in path])
    listed = "".join(f"\n    {path} ({reason})" for path, reason in list(reasons.items())[:_SHOWN])
    text = f"{len(reasons)} of {len(paths)} {part} images cannot be decoded:{listed}" + (
        "\n    ..." if len(reasons) > _SHOWN else ""
    )
    if len(reasons) > allowed:
        skip = " or add --leave-out-bad to skip them," if part == "test" else " or take them out of the annotations,"
        raise ValueError(f"{text}\n  Replace them,{skip} and start again.")
    if reasons:
        print_log(text, "current", logging.WARNING)
    return len(reasons)
