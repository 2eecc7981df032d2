"""The data of a study, checked before anything is trained: is all of it there, and how much is it?"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmdetpre.datasets.from_config import open_dataset
from mmdetpre.datasets.images.decode_check import broken_images
from mmdetpre.study.layout import write_if_changed
from mmdetpre.study.records import DATA_FORMAT
from mmdetpre.study.spec import SCRATCH, Study, of_start
from mmdetpre.utils.read_config import read_config

_SHOWN = 10


@dataclass
class DataSource:
    """Data of a study.

    Attributes:
        key: Of the task, or of the start that is pre-trained on them.
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


def data_sources(study: Study) -> list[DataSource]:
    """The data that a study uses, each config once."""
    found: dict[tuple[Path, str], DataSource] = {}

    def add(key: str, title: str, config: Path, role: str, options: Mapping[str, Any]) -> None:
        entry = found.setdefault((config, repr(options)), DataSource(key, title, config, [], options))
        entry.roles.append(role)

    for start in study.starts.values():
        if start.pretrained_here:
            title = f"{start.title} (pre-training)"
            add(f"pretraining_{start.key}", title, study.find(str(start.config)), "pretraining", start.options)
    for task in study.tasks.values():
        starts = task.starts or tuple(study.starts)
        if task.data_config:
            add(task.key, task.title, study.find(task.data_config), task.key, task.options)
        elif SCRATCH in starts and task.scratch_config:
            add(task.key, task.title, study.find(task.scratch_config), task.key, task.options)
        else:
            first = next(key for key in starts if key != SCRATCH)
            add(task.key, task.title, study.find(of_start(str(task.config), first)), task.key, task.options)
    return list(found.values())


def check_data(study: Study, *, leave_out_bad: bool = False) -> dict[str, Any]:
    """Open all data, count them, and decode every image; those that were decoded before and have not changed are known.

    Of images that chips are cut from as many may be broken as ``max_broken`` allows; training replaces and counts them.

    Args:
        study: The study.
        leave_out_bad: Continue with broken test images: tests skip them, and their results say so.

    Returns:
        Content of ``data.json``, from which Table 1 is made.

    Raises:
        FileNotFoundError: Lists all that is missing or broken, and where it belongs.
    """
    entries, missing = [], []
    for source in data_sources(study):
        try:
            cfg = read_config(source.config, source.options)
            parts = {part: _count(cfg, part, leave_out_bad) for part in ("train", "test")}
        except (OSError, ValueError) as error:
            missing.append(f"* {source.title} ({source.config.name}): {error}")
            continue
        entries.append(
            {
                "key": source.key,
                "title": source.title,
                "roles": source.roles,
                "classes": max(part.pop("classes") for part in parts.values() if part),
                **parts,
                "root": parts["train"].pop("root") if parts["train"] else "",
                "config": str(source.config),
            }
        )
        if parts["test"]:
            parts["test"].pop("root")
    if missing:
        raise FileNotFoundError(
            "Nothing was trained, because data of the study are not as they should be:\n" + "\n".join(missing)
        )
    return {"format": DATA_FORMAT, "data": entries}


def write_data(out: Path, content: Mapping[str, Any]) -> None:
    """Write ``data.json``, if it changed."""
    write_if_changed(out / "data.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _count(cfg: Config, part: str, leave_out_bad: bool) -> dict[str, Any] | None:
    if not cfg.get(f"{part}_dataloader"):
        return None
    dataset = open_dataset(cfg, part, inner=True)
    table = getattr(dataset, "packed", None)
    classes = (getattr(dataset, "metainfo", None) or {}).get("classes") or ()
    broken = _broken(dataset, _allowed(cfg, part, len(dataset), leave_out_bad), part)
    return ({"broken": broken} if broken else {}) | {
        "images": len(dataset),
        "objects": None if table is None else int(len(table.boxes)),
        "classes": len(classes),
        "root": str(getattr(dataset, "data_root", "") or ""),
    }


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
    if getattr(dataset, "backend_args", None) is not None or not hasattr(dataset, "get_data_info"):
        return 0  # what lies elsewhere is fetched by training
    paths = [str(dataset.get_data_info(i).get("img_path", "")) for i in range(len(dataset))]
    reasons = broken_images([path for path in paths if path and "://" not in path])
    listed = "".join(f"\n    {path} ({reason})" for path, reason in list(reasons.items())[:_SHOWN])
    text = f"{len(reasons)} of {len(paths)} images to {part} on cannot be decoded:{listed}" + (
        "\n    ..." if len(reasons) > _SHOWN else ""
    )
    if len(reasons) > allowed:
        skip = " or add --leave-out-bad to skip them," if part == "test" else " or take them out of the annotations,"
        raise ValueError(f"{text}\n  Replace them,{skip} and start again.")
    if reasons:
        print_log(text, "current", logging.WARNING)
    return len(reasons)


def data_table(content: Mapping[str, Any]) -> str:
    """The sizes of the data, a line each."""
    lines = []
    for entry in content["data"]:
        sizes = []
        for part in ("train", "test"):
            if size := entry[part]:
                boxes = "" if size["objects"] is None else f", {size['objects']:,} boxes"
                broken = f", {size['broken']:,} of them broken" if size.get("broken") else ""
                sizes.append(f"{part} {size['images']:,} images{boxes}{broken}")
        lines.append(f"{entry['title']}: {entry['classes']} classes; {'; '.join(sizes)}  ({entry['root']})")
    return "\n".join(lines)
