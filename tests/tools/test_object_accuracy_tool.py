"""The tool on synthetic images with boxes: two backbones probed, a classifier as it is, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmdetpre.inference.build_model import build_model

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/object_accuracy.py"
SIZES = ["--resize-edge", 40, "--crop", 32, "--device", "cpu", "--workers", 0, "--least", 2, "--label", "largest"]


@pytest.fixture
def files(repository: Path, tiny_voc: Path, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Detection config over the tiny synthetic VOC, config of a narrow classifier of its classes, and its weights."""
    data = Config.fromfile(repository / "configs/det/sniper_voc_sample.py")
    shipped = str(data.test_dataloader.dataset.data_root)
    text = data.pretty_text.replace(shipped.rstrip("/").split("/VOCdevkit")[0], str(tiny_voc))
    (tmp_path / "data.py").write_text(text)
    classes = Config.fromfile(tmp_path / "data.py").test_dataloader.dataset
    cfg = Config.fromfile(repository / "configs/cls/imagenet_cls_sample.py")
    cfg.merge_from_dict({"model.head.num_classes": 5})
    cfg.dump(tmp_path / "cls.py")
    torch.manual_seed(0)
    model = build_model(tmp_path / "cls.py", "cpu").model
    for name, values in model.named_buffers():
        if name.endswith("running_var"):
            values += 0.1 * torch.rand_like(values)
        elif name.endswith("running_mean"):  # below 0: no ReLU of a map of one position is dead
            values -= 0.1 * torch.rand_like(values)
    names = list((classes.get("metainfo") or {}).get("classes") or ())
    torch.save({"state_dict": model.state_dict(), "meta": {"dataset_meta": {"classes": names}}}, tmp_path / "model.pth")
    return tmp_path / "data.py", tmp_path / "cls.py", tmp_path / "model.pth"


def test_accuracy_of_a_probe_and_what_is_kept(files: tuple[Path, ...], tmp_path: Path, run_tool_here: Callable) -> None:
    data, cls, weights = files
    out = tmp_path / "out"
    models = ["--model", f"a={cls},{weights}", "--model", f"b={cls},{weights}"]
    files = ["--out", tmp_path / "objects.json", "--plot", tmp_path / "objects.png", "--work-dir", out]
    done = run_tool_here(TOOL, "--data-config", data, *models, *SIZES, *files)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "objects.json").read_text())
    assert content["accuracy"]["a"] == content["accuracy"]["b"] and content["label"] == "largest"
    (everything,) = content["accuracy"]["a"]["all"]
    assert sum(group["images"] for group in content["accuracy"]["a"]["objects"]) == everything["images"] >= 2
    assert (tmp_path / "objects.png").read_bytes().startswith(b"\x89PNG") and "objects: 3-4" in done.stdout
    result = json.loads((out / "a" / "results" / "conv5_pooled_linear.json").read_text())
    assert result["test"]["images"] == everything["images"]
    again = run_tool_here(TOOL, "--data-config", data, *models, *SIZES, *files)
    assert again.returncode == 1 and "--force" in again.stderr
    with pytest.warns(FutureWarning, match="give --work-dir FOLDER, --out FILE.json and --plot FILE.png"):
        former = run_tool_here(TOOL, "--data-config", data, *models, *SIZES, "--out", out)
    assert former.returncode == 0, former.stderr
    assert json.loads((out / "object_accuracy.json").read_text()) == content
    assert (out / "object_accuracy.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Whose accuracy? Give --model or --classifier"),
        (["--model", "a/b={cls},{weights}"], "'a/b' is to be the name of a folder"),
        (
            ["--model", "a={cls},{weights}", "--least", 99],
            "there is nothing to distinguish. Lower --least, try --label",
        ),
        (["--classifier", "a={cls},{weights}"], "a does not know the class"),
    ],
)
def test_what_is_refused(
    arguments: list, message: str, files: tuple[Path, ...], tmp_path: Path, run_tool_here: Callable
) -> None:
    data, cls, weights = files
    if "--classifier" in arguments:
        kept = torch.load(weights, weights_only=True)
        torch.save(kept | {"meta": {"dataset_meta": {"classes": list("abcde")}}}, weights)
    given = [str(argument).format(cls=cls, weights=weights) for argument in arguments]
    done = run_tool_here(TOOL, "--data-config", data, *SIZES, *given, "--out", tmp_path / "out")
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
