from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from mmdetpre.sample import make_sample

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/chip_report.py"
CONFIG = TOOL.parents[2] / "configs/det/sniper_openimages_sample.py"


def test_reports_proposes_and_refuses(tmp_path: Path, run_tool: Callable, run_tool_here: Callable) -> None:
    sample = make_sample(tmp_path / "sample", train=6, validation=2, progress=False)
    out = tmp_path / "report.json"
    arguments = [str(CONFIG), "--out", str(out), "--propose"]
    options = ["--cfg-options", f"train_dataloader.dataset.dataset.data_root={sample}/"]
    first = run_tool(TOOL, *arguments, *options)
    assert first.returncode == 0, first.stderr
    assert "valid nowhere" in first.stdout and "chips = dict(" in first.stdout
    result = json.loads(out.read_text())
    assert result["report"]["images"] == 6 and result["report"]["chips"] > 0
    assert result["settings"]["chip_size"] == result["proposal"]["settings"]["chip_size"] == 128

    second = run_tool_here(TOOL, *arguments, *options)
    assert second.returncode == 1 and "add --force" in second.stderr


def test_says_what_is_missing(tmp_path: Path, run_tool_here: Callable) -> None:
    option = f"train_dataloader.dataset.dataset.data_root={tmp_path}/nowhere/"
    missing_data = run_tool_here(TOOL, CONFIG, "--cfg-options", option)
    assert missing_data.returncode == 1
    assert "nowhere" in missing_data.stderr
    config = tmp_path / "config.py"
    config.write_text("val_dataloader = None\n")
    no_training = run_tool_here(TOOL, config)
    assert no_training.returncode == 1 and "has no train_dataloader" in no_training.stderr
