"""Write docs/model_zoo.md and the README of each folder of configs from model-index.yml, the metafiles and the configs.

A test holds the pages to it.

Example: python docs/model_zoo.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from mmdetpre.paper.values import VALUES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "model_zoo.md"
TITLES = {
    "det": ("Detection", "`mim train mmdet configs/det/NAME.py --gpus 8 --launcher pytorch`"),
    "seg": ("Segmentation", "`mim train mmsegmentation configs/seg/NAME.py --gpus 8 --launcher pytorch`"),
    "cls": ("Classification", "`mim train mmpretrain configs/cls/NAME.py`"),
}
HEAD = """# Model zoo

Every full-size config, with each of its initializations: what it learns, which row of the paper it reproduces. The
header of a config has its command and its hardware. **None of them was trained here**: that needs the data sets and
GPUs. Cells without a result say so, and there is no checkpoint to download.

Their twins (`NAME_sample`; not of SUN-397 and Flowers) learn from synthetic data; what they give stands in
[Detectors](detection.md#compare-runs), [Segmentation](segmentation.md#trimaps) and
[Classification](classification.md#on-synthetic-data).
[`--cfg-options backbone_init=NAME`](moving_a_backbone.md#choose-the-initialization) chooses another
initialization than the first. Figures in the column of the paper are the paper's.

This page is written by `python docs/model_zoo.py` from `model-index.yml` and the files it lists.
"""
EMPTY = "—"
COLUMNS = ("config", "initialization", "data", "paper", "result")
ROWS = {"sniper_voc": ("2", "3"), "sniper_coco": ("coco_finetuning",), "deeplab_voc": ("4",)}
ROWS |= {name: ("5",) for name in ("caltech256", "sun397", "flowers102")}
ROWS |= {f"{name}_linear": ("6",) for name in ("caltech256", "sun397", "flowers102")}
"""Config of a task -> tables of the paper with a row for each of its initializations."""
NAMES = {"2": "Table 2: {} mAP at IoU 0.5 / 0.7", "3": "Table 3: {} % missed at low / medium occlusion"}
NAMES |= {"4": "Table 4: {} mIoU", "5": "Table 5: {} top-1", "6": "Table 6: {} top-1"}
NAMES |= {"coco_finetuning": "section 4.1: AP at IoU 0.5 / 0.75 of {}"}


def models(root: Path = ROOT) -> list[dict[str, Any]]:
    """The entries of all metafiles, those of synthetic data left out, as mim lists them."""
    index = yaml.safe_load((root / "model-index.yml").read_text())
    entries = [model for name in index["Import"] for model in yaml.safe_load((root / name).read_text())["Models"]]
    return [model for model in entries if not model["Name"].endswith("_sample")]


def initializations(config: Path) -> list[str]:
    """What the backbone of a config can be initialized from: the names of its table, its own first."""
    cfg = Config.fromfile(config, import_custom_modules=False)
    inside = cfg.model.get("backbone", {}).get("init_cfg") or {}
    own = (cfg.get("backbone_init") or {}).get("name")
    if own is None:
        return [f"`{inside['checkpoint']}`" if "checkpoint" in inside else "scratch"]
    if config.stem not in ROWS:
        return [own]
    others = [name for name, entry in cfg.backbone_inits.items() if not isinstance(entry, str) and name != own]
    told = [name for name in others if any(name in VALUES[table] for table in ROWS[config.stem])]
    return [own, *told, *(name for name in others if name not in told and config.stem != "sniper_coco")]


def paper_cell(config: Path, init: str) -> str:
    """Row of the paper for an initialization of a task; for other configs what the header says."""
    told = []
    for table in ROWS.get(config.stem, ()):
        row = VALUES[table].get(init, {})
        column = config.stem.removesuffix("_linear")
        values = [row[column]] if column in row else list(row.values())
        if values:
            told.append(NAMES[table].format(" / ".join(map(str, values))))
    if config.stem == "sniper_coco" and init == "imagenet_cls":
        told.insert(0, row_of_paper(config))
    return "; ".join(told) or (EMPTY if config.stem in ROWS else row_of_paper(config))


def row_of_paper(config: Path) -> str:
    """What the header of a config says about the paper, a dash if it has no row there."""
    header = " ".join(line[1:].strip() for line in config.read_text().splitlines() if line.startswith("#"))
    found = re.search(r"Paper: (.*?)(?:\. |\.?$)", header)
    text = found[1].strip() if found else ""
    return EMPTY if not text or text.startswith("no row") else text


def results_of(model: dict[str, Any]) -> str:
    """Metrics of a metafile entry, with its checkpoint."""
    values = [f"{key} {value}" for result in model.get("Results", ()) for key, value in result["Metrics"].items()]
    values += [f"[checkpoint]({model['Weights']})"] if "Weights" in model else []
    return ", ".join(values) or "not trained here"


def table(entries: list[dict[str, Any]], root: Path = ROOT) -> str:
    """A Markdown table with a row for each initialization of each entry."""
    rows = [COLUMNS, ("---",) * len(COLUMNS)]
    for model in entries:
        config = root / model["Config"]
        data = model["Metadata"]["Training Data"]
        for init in initializations(config):
            rows.append((f"`{model['Name']}`", init, data, paper_cell(config, init), results_of(model)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def page(root: Path = ROOT) -> str:
    """The whole page."""
    parts = [HEAD]
    for folder, (title, command) in TITLES.items():
        entries = [model for model in models(root) if Path(model["Config"]).parent.name == folder]
        parts.append(f"## {title}\n\n{command}\n\n{table(entries, root)}\n")
    return "\n".join(parts)


def readme(folder: str, root: Path = ROOT) -> str:
    """The README of a folder of configs: a row per full-size config, with its twin and its measured results."""
    title, command = TITLES[folder]
    entries = [model for model in models(root) if Path(model["Config"]).parent.name == folder]
    rows = [("config", "initializations", "paper", "twin on synthetic data"), ("---",) * 4]
    for model in entries:
        config = root / model["Config"]
        twin = config.with_name(f"{config.stem}_sample.py")
        link = f"[{twin.name}]({twin.name})" if twin.exists() else EMPTY
        names = ", ".join(initializations(config))
        rows.append((f"[{config.name}]({config.name})", names, row_of_paper(config), link))
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"""# {title}

{command}

The first initialization is the config's own; `--cfg-options backbone_init=NAME` takes another one, with a `--work-dir`
of its own. The header of each config has its command, its hardware and what it gave. A GPU that has bfloat16 trains
in it, but for mmdet's own detectors; `--cfg-options gpu.bfloat16=False` trains in float32.

{text}

Written by `python docs/model_zoo.py`.
"""


def pages(root: Path = ROOT) -> dict[Path, str]:
    """All that this program writes."""
    return {PAGE: page(root)} | {root / "configs" / folder / "README.md": readme(folder, root) for folder in TITLES}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"Written: {path.relative_to(ROOT)}")
