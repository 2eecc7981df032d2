"""Write docs/model_zoo.md from model-index.yml, the metafiles and the configs it names; a test holds the page to it.

Example: python docs/model_zoo.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "model_zoo.md"
TITLES = {
    "det": ("Detection", "`mim train mmdet configs/det/NAME.py --gpus 8 --launcher pytorch`"),
    "seg": ("Segmentation", "`mim train mmsegmentation configs/seg/NAME.py --gpus 8 --launcher pytorch`"),
    "cls": ("Classification", "`mim train mmpretrain configs/cls/NAME.py`"),
}
HEAD = """# Model zoo

Every full-size config: what it starts from, what it learns, which row of the paper it reproduces. The header of a
config has its command and its hardware. **None of them was trained here**: that needs the data sets and GPUs. Cells
without a result say so, and there is no checkpoint to download.

Their twins (`NAME_sample`; not of SUN-397 and Flowers) learn from drawn data; what they give stands in
[Detectors](detection.md#compare-runs), [Segmentation](segmentation.md#trimaps) and
[Classification](classification.md#on-drawn-data). A start that is the name of a config is its
`work_dirs/NAME/backbone_final.pth`; [a line in `_base_`](moving_a_backbone.md#four-starts-one-line) chooses another
one. Figures in the column of the paper are the paper's.

This page is written by `python docs/model_zoo.py` from `model-index.yml` and the files it lists.
"""
COLUMNS = ("config", "starts from", "data", "paper", "result")


def models(root: Path = ROOT) -> list[dict[str, Any]]:
    """The entries of all metafiles, those of drawn data left out, as mim lists them."""
    index = yaml.safe_load((root / "model-index.yml").read_text())
    entries = [model for name in index["Import"] for model in yaml.safe_load((root / name).read_text())["Models"]]
    return [model for model in entries if not model["Name"].endswith("_sample")]


def start_of(config: Path) -> str:
    """What the backbone of a config starts from."""
    cfg = Config.fromfile(config, import_custom_modules=False)
    start = (cfg.get("backbone_start") or {}).get("checkpoint")
    if start is not None:
        run = re.fullmatch(r"work_dirs/(\w+)/backbone_final\.pth", start)
        return f"`{run[1]}`" if run else f"`{start}`"
    inside = cfg.model.get("backbone", {}).get("init_cfg") or {}
    return f"`{inside['checkpoint']}`" if "checkpoint" in inside else "scratch"


def row_of_paper(config: Path) -> str:
    """What the header of a config says about the paper, a dash if it has no row there."""
    header = " ".join(line[1:].strip() for line in config.read_text().splitlines() if line.startswith("#"))
    found = re.search(r"Paper: (.*?)(?:\. |\.?$)", header)
    text = found[1].strip() if found else ""
    return "—" if not text or text.startswith("no row") else text


def results_of(model: dict[str, Any]) -> str:
    """Metrics of a metafile entry, with its checkpoint."""
    values = [f"{key} {value}" for result in model.get("Results", ()) for key, value in result["Metrics"].items()]
    values += [f"[checkpoint]({model['Weights']})"] if "Weights" in model else []
    return ", ".join(values) or "not trained here"


def table(entries: list[dict[str, Any]], root: Path = ROOT) -> str:
    """A Markdown table with one row per entry."""
    rows = [COLUMNS, ("---",) * len(COLUMNS)]
    for model in entries:
        config = root / model["Config"]
        data = model["Metadata"]["Training Data"]
        rows.append((f"`{model['Name']}`", start_of(config), data, row_of_paper(config), results_of(model)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def page(root: Path = ROOT) -> str:
    """The whole page."""
    parts = [HEAD]
    for folder, (title, command) in TITLES.items():
        entries = [model for model in models(root) if Path(model["Config"]).parent.name == folder]
        parts.append(f"## {title}\n\n{command}\n\n{table(entries, root)}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Written: {PAGE.relative_to(ROOT)}")
