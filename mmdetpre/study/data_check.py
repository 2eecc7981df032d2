"""The data of a study, looked at before anything is trained: is all of it there, and how much is it?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdetpre.analysis.image_set import dataset_of_config
from mmdetpre.study.outcome import DATA_FORMAT
from mmdetpre.study.plan import write_if_changed
from mmdetpre.study.study_file import SCRATCH, Study, of_start


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


def check_data(study: Study) -> dict[str, Any]:
    """Open all data and count them.

    Returns:
        Content of ``data.json``, from which Table 1 is made.

    Raises:
        FileNotFoundError: Lists all that is missing, and where it belongs.
    """
    entries, missing = [], []
    for source in data_sources(study):
        try:
            cfg = Config.fromfile(source.config)
            cfg.merge_from_dict(dict(source.options))
            parts = {part: _count(cfg, part, source.config) for part in ("train", "test")}
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


def _count(cfg: Config, part: str, config: Path) -> dict[str, Any] | None:
    if not cfg.get(f"{part}_dataloader"):
        return None
    dataset = dataset_of_config(cfg, part, str(config))
    table = getattr(dataset, "packed", None)
    classes = (getattr(dataset, "metainfo", None) or {}).get("classes") or ()
    return {
        "images": len(dataset),
        "objects": None if table is None else int(len(table.boxes)),
        "classes": len(classes),
        "root": str(getattr(dataset, "data_root", "") or ""),
    }


def data_table(content: Mapping[str, Any]) -> str:
    """The sizes of the data, a line each."""
    lines = []
    for entry in content["data"]:
        sizes = []
        for part in ("train", "test"):
            if size := entry[part]:
                boxes = "" if size["objects"] is None else f", {size['objects']:,} boxes"
                sizes.append(f"{part} {size['images']:,} images{boxes}")
        lines.append(f"{entry['title']}: {entry['classes']} classes; {'; '.join(sizes)}  ({entry['root']})")
    return "\n".join(lines)
