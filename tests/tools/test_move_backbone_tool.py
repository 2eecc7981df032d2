"""move_backbone.py with trainings that only leave what real ones leave; the real ones take minutes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmdet.models.backbones import ResNet

from mmdetpre.compat import warm_start
from mmdetpre.transfer import load_backbone, write_backbone

TOOL = Path(__file__).parents[2] / "tools" / "misc" / "move_backbone.py"


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Takes the place of `mim train`: loads with a report, changes the weights, exports."""
    found = SimpleNamespace(commands=[], fail=None, overwrite=False)

    def train(command: list[str], **_: object) -> int:
        found.commands.append(command)
        work_dir = Path(command[command.index("--work-dir") + 1])
        if found.fail and found.fail in work_dir.name:
            return 1
        work_dir.mkdir(parents=True, exist_ok=True)
        module = ResNet(18, base_channels=4, stem_channels=4)
        torch.nn.init.normal_(module.bn1.running_mean)
        (start,) = [part.split("=")[1] for part in command if part.startswith("backbone_init")] or [None]
        if start:
            report = load_backbone(module, start)
            (work_dir / f"backbone_load_{len(found.commands):03}.json").write_text(report.to_json())
        torch.nn.init.normal_(module.conv1.weight)
        write_backbone(work_dir / "backbone_final.pth", module.state_dict(), overwrite=True)
        return 0

    monkeypatch.setattr(warm_start, "run_command", train)
    monkeypatch.setattr("mmdetpre.sample.make_sample", lambda *_, **__: None)
    return found


def test_the_way_round_and_again(tmp_path: Path, trainings: SimpleNamespace, run_tool_here: Callable) -> None:
    trainings.fail = "mmpretrain"
    stopped = run_tool_here(TOOL, "--out", tmp_path)
    assert stopped.returncode == 1 and "Run it again to go on" in stopped.stderr
    trainings.fail, trainings.commands[:] = None, []
    done = run_tool_here(TOOL, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert [command[2] for command in trainings.commands] == ["mmpretrain", "mmdet"], "what stands is not repeated"
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("mm")]
    assert [row[0] for row in rows] == ["mmdet", "mmsegmentation", "mmpretrain", "mmdet"]
    assert [row[1] for row in rows[1:]] == ["complete"] * 3
    assert [row[-2] for row in rows[1:]] == [row[-1] for row in rows[:-1]]
    assert len(list(tmp_path.glob("*/backbone_load_*.json"))) == 3
    # A step that is repeated makes those behind it stale.
    (tmp_path / "1_mmdet" / "backbone_final.pth").unlink()
    trainings.commands[:] = []
    assert run_tool_here(TOOL, "--out", tmp_path).returncode == 0
    assert len(trainings.commands) == 4


def test_weights_that_did_not_arrive_are_an_error(
    tmp_path: Path, trainings: SimpleNamespace, run_tool_here: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = warm_start.run_command

    def train(command: list[str], **options: Any) -> int:
        status = real(command, **options)
        for path in tmp_path.glob("2_*/backbone_load_*.json"):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"digest": "0" * 64}))
        return status

    monkeypatch.setattr(warm_start, "run_command", train)
    done = run_tool_here(TOOL, "--out", tmp_path)
    assert done.returncode == 1 and "2_mmsegmentation loaded 0000" in done.stderr
