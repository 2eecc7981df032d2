from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools/analysis_tools/cluster_classes.py"
CONFIG = ROOT / "configs/det/sniper_openimages_sample.py"


def test_clusters_and_refuses(tmp_path: Path, tiny_sample: Path, run_tool_here: Callable) -> None:
    pytest.importorskip("sklearn", reason="K-means needs scikit-learn")
    init_default_scope("mmdet")
    cfg = Config.fromfile(CONFIG)
    checkpoint = tmp_path / "detector.pth"
    state = MODELS.build(cfg.model).state_dict()
    for name, value in state.items():  # statistics as before any training are refused
        if name.endswith("running_mean"):
            value.normal_(std=0.1)
    torch.save(dict(state_dict=state, meta={}), checkpoint)
    out = tmp_path / "clusters.json"
    loader = "train_dataloader"
    options = [f"{loader}.dataset.dataset.data_root={tiny_sample}/", f"{loader}.num_workers=0"]
    options.append(f"{loader}.persistent_workers=False")

    def run(checkpoint: Path, *arguments: object, batch_size: int = 16) -> subprocess.CompletedProcess[str]:
        fixed = [CONFIG, checkpoint, "--clusters", 3, "--out", out, *arguments, "--cfg-options", *options]
        return run_tool_here(TOOL, *fixed, f"{loader}.batch_size={batch_size}")

    first = run(checkpoint, "--max-chips", 16)
    assert first.returncode == 0, first.stderr
    content = json.loads(out.read_text())
    assert len(content["clusters"]) == 8 and set(content["clusters"].values()) == {0, 1, 2}
    assert content["settings"]["boxes"] > 16 and len(content["settings"]["checkpoint_sha256"]) == 64

    second = run(checkpoint)
    assert second.returncode == 1 and "add --force" in second.stderr
    few = run(checkpoint, "--force", "--max-chips", 1, batch_size=1)
    assert few.returncode == 1 and "have no box" in few.stderr
    missing = run(tmp_path / "nothing.pth", "--force")
    assert missing.returncode == 1 and "nothing.pth" in missing.stderr
    assert json.loads(out.read_text()) == content
