"""export_backbone.py, inspect_backbone.py and verify_transfer.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.models.backbones import ResNet

SIZE = ["--size", "64", "64"]
TOOLS = Path(__file__).parents[2] / "tools/model_converters"
CONFIG = """
default_scope = "mmdet"
model = dict(
    type="FCOS",
    data_preprocessor=dict(type="DetDataPreprocessor", mean=[0, 0, 0], std=[255, 255, 255], bgr_to_rgb=True),
    backbone=dict(type="ResNet", depth={depth}, base_channels=4, frozen_stages=1, norm_eval=False),
)
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    module = ResNet(18, base_channels=4)
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, tensor in module.state_dict().items():
        state[f"backbone.{name}"] = torch.rand(tensor.shape, generator=generator) if tensor.dim() else tensor
    torch.save({"state_dict": state | {"bbox_head.bias": torch.ones(2)}, "meta": {"epoch": 3}}, tmp_path / "run.pth")
    return tmp_path / "run.pth"


def test_export_inspect_verify(checkpoint: Path, tmp_path: Path, run_tool: Callable, run_tool_here: Callable) -> None:
    out = tmp_path / "backbone.pth"
    exported = run_tool(TOOLS / "export_backbone.py", checkpoint, out, "--source-dataset", "drawn")
    assert exported.returncode == 0, exported.stderr
    assert "source_dataset: drawn" in exported.stdout and "epoch: 3" in exported.stdout
    again = run_tool_here(TOOLS / "export_backbone.py", checkpoint, out)
    assert again.returncode == 1 and "--overwrite" in again.stderr

    shown = run_tool_here(TOOLS / "inspect_backbone.py", out)
    assert shown.returncode == 0 and "backbone: ResNet-18, width 4" in shown.stdout
    (tmp_path / "same.py").write_text(CONFIG.format(depth=18))
    (tmp_path / "deeper.py").write_text(CONFIG.format(depth=34))
    report = tmp_path / "report.json"
    fits = run_tool_here(TOOLS / "inspect_backbone.py", out, "--into", tmp_path / "same.py", "--json", report)
    assert fits.returncode == 0, fits.stdout + fits.stderr
    assert "Backbone: COMPLETE" in fits.stdout and "layer1     frozen" in fits.stdout
    assert json.loads(report.read_text())["verdict"] == "complete"
    deeper = run_tool_here(TOOLS / "inspect_backbone.py", out, "--into", tmp_path / "deeper.py")
    assert deeper.returncode == 1 and "wrong depth" in deeper.stdout

    image = tmp_path / "image.png"
    cv2.imwrite(str(image), np.random.default_rng(0).integers(0, 255, (70, 90, 3), dtype=np.uint8))
    verified = run_tool_here(TOOLS / "verify_transfer.py", out, "--image", image)
    assert verified.returncode == 0, verified.stderr
    assert "Identical in all three." in verified.stdout and verified.stdout.count("0  0  0  0") == 3


def test_export_for_others(
    checkpoint: Path, tmp_path: Path, fake_hub, run_tool: Callable, run_tool_here: Callable
) -> None:
    """Into a repository, from there into a folder, and what each says."""
    tool = TOOLS / "export_backbone.py"
    sent = run_tool(tool, checkpoint, "hf://lab/r18", "--license", "mit")
    assert sent.returncode == 0, sent.stderr
    assert "Identical in all three.\nLoad it with hf://lab/r18.\n" in sent.stdout
    assert sent.stdout.endswith("The card does not say all: --source-dataset would.\n")
    again = run_tool_here(tool, checkpoint, "hf://lab/r18")
    assert again.returncode == 1 and again.stderr.startswith("export_backbone: lab/r18 has model.safetensors already")
    shown = run_tool_here(TOOLS / "inspect_backbone.py", "hf://lab/r18")
    assert "backbone: ResNet-18, width 4" in shown.stdout and "repository: commit " in shown.stdout
    verified = run_tool_here(TOOLS / "verify_transfer.py", "hf://lab/r18")
    assert verified.returncode == 0 and "Identical in all three." in verified.stdout
    for option in (["--license", "mit"], ["--dataset", "coco"], ["--public"], ["--no-card"]):
        alone = run_tool_here(tool, checkpoint, tmp_path / "b.pth", *option)
        assert alone.returncode == 1 and f"{option[0]} is for a model card, which one file has not" in alone.stderr
    odd = run_tool_here(tool, "hf://lab/r18", tmp_path / "r18", "--license", "MIT License", "--source-dataset", "drawn")
    assert odd.returncode == 1 and odd.stderr.count("\n") == 1 and "is not of the form that the Hub has" in odd.stderr
    kept = run_tool_here(tool, "hf://lab/r18", tmp_path / "r18", "--license", "mit", "--source-dataset", "drawn")
    assert kept.returncode == 0 and kept.stdout.endswith(f"Load it with {tmp_path}/r18/model.safetensors.\n")
    card = (tmp_path / "r18" / "README.md").read_text()
    assert "| taken from | run.pth |" in card and "| pre-trained on | drawn |" in card  # the origin travels


@pytest.mark.parametrize("tool", ["export_backbone", "inspect_backbone", "verify_transfer"])
def test_bad_files_are_one_line_on_stderr(tool: str, tmp_path: Path, run_tool_here: Callable) -> None:
    bad = tmp_path / "bad.pth"
    bad.write_text("no checkpoint at all")
    more = [tmp_path / "out.pth"] if tool == "export_backbone" else []
    for path, reason in ((bad, "is not a checkpoint"), (tmp_path / "none.pth", "not there")):
        found = run_tool_here(TOOLS / f"{tool}.py", path, *more)
        assert found.returncode == 1 and reason in found.stderr and found.stderr.startswith(f"{tool}: ")
        assert found.stderr.count("\n") == 1


def test_a_config_without_a_backbone(checkpoint: Path, tmp_path: Path, run_tool_here: Callable) -> None:
    (tmp_path / "none.py").write_text("x = 1\n")
    found = run_tool_here(TOOLS / "inspect_backbone.py", checkpoint, "--into", tmp_path / "none.py")
    assert found.returncode == 1 and "no model.backbone" in found.stderr


@pytest.mark.parametrize("tool", ["export_backbone", "inspect_backbone", "verify_transfer"])
def test_help_has_an_example(tool: str, run_tool_here: Callable) -> None:
    found = run_tool_here(TOOLS / f"{tool}.py", "--help")
    assert found.returncode == 0 and f"Example: python tools/model_converters/{tool}.py" in found.stdout


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("a.onnx", [], "name the config of its backbone, --into, or of a --detector"),
        ("a.onnx", ["--into", "same.py"], "An .onnx file needs --size H W, such as --size 512 512."),
        ("a.onnx", ["--detector", "same.py", *SIZE], "--detector needs --image PHOTO"),
        ("a.onnx", ["--detector", "same.py", *SIZE, "--any-size"], "--any-size are for a backbone: a detector has one"),
        ("a.onnx", ["--into", "same.py", *SIZE, "--image", "a.png"], "--image is for a --detector"),
        ("a.pth", [*SIZE, "--any-size"], "--size is for a file that ends in .onnx, and a.pth does not"),
        ("a.pth", ["--into", "same.py"], "--into is for a model card or an .onnx file"),
    ],
)
def test_what_an_onnx_file_needs(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_tool_here: Callable,
    out: str,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_tool_here(TOOLS / "export_backbone.py", checkpoint, out, *options)
    assert result.returncode == 1 and message in result.stderr and not Path(out).exists()
    assert len(result.stderr.strip().splitlines()) == 1


def test_export_of_a_network(checkpoint: Path, tmp_path: Path, run_tool_here: Callable) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'mmdetpre[onnx]'")
    (tmp_path / "same.py").write_text(CONFIG.format(depth=18))
    command = [checkpoint, tmp_path / "a.onnx", "--into", tmp_path / "same.py", *SIZE]
    result = run_tool_here(TOOLS / "export_backbone.py", *command)
    assert result.returncode == 0, result.stderr
    assert "image -> output_0 (1, 4, 16, 16), output_1" in result.stdout and "differ by" in result.stdout
    again = run_tool_here(TOOLS / "export_backbone.py", *command)
    assert again.returncode == 1 and "add --overwrite" in again.stderr
