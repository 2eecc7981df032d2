"""import_checkpoint.py; what it writes is tested in tests/transfer/test_import_backbone.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torchvision.models import resnet18

from mmdetpre.transfer import read_checkpoint

TOOL = Path(__file__).parents[2] / "tools/model_converters/import_checkpoint.py"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    state = resnet18(num_classes=2).state_dict()
    for name, tensor in state.items():
        if name.endswith("running_mean"):
            tensor.fill_(0.1)
    torch.save(state, tmp_path / "published.pth")
    return tmp_path / "published.pth"


def test_import(published: Path, tmp_path: Path, run_tool_here: Callable) -> None:
    out, json_file = tmp_path / "out.pth", tmp_path / "report.json"
    command = (TOOL, published, out, "--from", "torchvision", "--source-dataset", "drawn", "--json", json_file)
    done = run_tool_here(*command)
    assert done.returncode == 0, done.stderr
    assert "Backbone: EXPECTED" in done.stdout and "library: torchvision" in done.stdout
    assert json.loads(json_file.read_text())["digest"] in done.stdout
    metadata = read_checkpoint(out).backbone_metadata
    assert metadata["source_dataset"] == "drawn" and metadata["preprocessing"]["channel_order"] == "rgb"
    again = run_tool_here(TOOL, published, out, "--from", "torchvision")
    refused = f"import_checkpoint: {out} exists: choose another name, or add --overwrite.\n"
    assert again.returncode == 1 and again.stderr == refused
    taken = run_tool_here(TOOL, published, tmp_path / "more.pth", "--from", "timm", "--json", json_file)
    assert taken.returncode == 1 and str(json_file) in taken.stderr and not (tmp_path / "more.pth").exists()
    given = ["--mean", "1", "2", "3", "--std", "4", "5", "6", "--channel-order", "bgr", "--style", "caffe"]
    assert run_tool_here(TOOL, published, out, "--from", "timm", "--overwrite", *given).returncode == 0
    assert read_checkpoint(out).backbone_metadata["preprocessing"] == dict(
        mean=[1, 2, 3], std=[4, 5, 6], channel_order="bgr", style="caffe"
    )


def test_what_does_not_arrive_is_reported_and_not_written(
    published: Path, tmp_path: Path, run_tool_here: Callable
) -> None:
    state = torch.load(published)
    torch.save({name: tensor for name, tensor in state.items() if "running" not in name}, published)
    out, json_file = tmp_path / "out.pth", tmp_path / "report.json"
    found = run_tool_here(TOOL, published, out, "--from", "timm", "--json", json_file)
    assert found.returncode == 1 and "was not written" in found.stderr and "Backbone: INCOMPLETE" in found.stderr
    assert json.loads(json_file.read_text())["statistics"] == "missing" and not out.exists()
    assert run_tool_here(TOOL, published, out, "--from", "timm", "--policy", "warn").returncode == 0


def test_bad_files_are_one_line_on_stderr(published: Path, tmp_path: Path, run_tool_here: Callable) -> None:
    params = tmp_path / "cut.params"
    params.write_bytes(b"\x12\x01" + bytes(14) + b"\x05")
    out = tmp_path / "out.pth"
    for path, reason in (
        (published, "--from torchvision or --from timm"),
        (params, "is cut off or damaged"),
        (tmp_path / "none.pth", "not there"),
    ):
        found = run_tool_here(TOOL, path, out)
        assert found.returncode == 1 and reason in found.stderr and found.stderr.startswith("import_checkpoint: ")
        assert found.stderr.count("\n") == 1


def test_help_has_an_example(run_tool_here: Callable) -> None:
    found = run_tool_here(TOOL, "--help")
    assert found.returncode == 0 and "Example: python tools/model_converters/import_checkpoint.py" in found.stdout
