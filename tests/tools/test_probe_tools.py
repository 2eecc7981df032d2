"""From a SNIPER checkpoint and a folder of photos to Tables 6 and 7, as a user goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from PIL import Image

from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.analysis.probes.scores import read_probe

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools" / "analysis_tools"
CONFIG = ROOT / "configs/det/sniper_coco_sample.py"
SIZE = ["--resize-edge", "70", "--crop", "64", "--workers", "0", "--batch-size", "8", "--device", "cpu"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of colored noise with two lists, and an untrained SNIPER with lived-in statistics."""
    root, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for label, name in enumerate(("blue", "green", "red")):
        (root / "photos" / name).mkdir(parents=True)
        for i in range(10):
            pixels = random.integers(0, 120, (72, 80, 3), dtype=np.uint8)
            pixels[..., 2 - label] += 100
            Image.fromarray(pixels).save(root / "photos" / name / f"{i}.png")
            lists["train" if i < 6 else "test"].append(f"{name}/{i}.png")
    for part, lines in lists.items():
        (root / f"{part}.txt").write_text("\n".join(lines))
    init_default_scope("mmdet")
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(CONFIG).model)
    for name, tensor in model.backbone.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(0.1 * torch.rand_like(tensor) + 0.05)
    torch.save({"state_dict": model.state_dict()}, root / "epoch_2.pth")
    torch.save({"state_dict": model.backbone.state_dict()}, root / "backbone.pth")
    return root


def extract(data: Path, run: Callable, part: str, *arguments: object):
    return run(
        TOOLS / "extract_features.py", CONFIG, data / "epoch_2.pth", "--images", data / "photos",
        "--split-file", data / f"{part}.txt", *SIZE, *arguments,
    )  # fmt: skip


def test_from_photos_to_a_table(data: Path, tmp_path: Path, run_tool: Callable, run_tool_here: Callable) -> None:
    done = extract(
        data, run_tool, "train", "--layers", "fc1", "conv5_pooled", "--out", tmp_path / "train", "--name", "OpenImages"
    )
    assert done.returncode == 0, done.stderr
    assert "18 images of 3 classes, fc1 256, conv5_pooled 128" in done.stdout
    for shard in ("0/2", "1/2"):
        arguments = ["--layers", "fc1", "conv5_pooled", "--out", tmp_path / "test", "--shard", shard]
        done = extract(data, run_tool_here, "test", *arguments)
        assert done.returncode == 0, done.stderr
        assert ("others are still at work" in done.stdout) == (shard == "0/2")
    assert read_features(tmp_path / "test").labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4

    for tool, name in (("linear_probe", "linear"), ("knn_probe", "knn")):
        out = tmp_path / "results" / f"{name}.json"
        probe = [TOOLS / f"{tool}.py", tmp_path / "train", tmp_path / "test", "--layer", "conv5_pooled"]
        done = run_tool_here(*probe, "--out", out)
        assert done.returncode == 0, done.stderr
        assert "conv5_pooled (128 values)" in done.stdout and "12 test images" in done.stdout
        result = read_probe(out)
        assert result.init == "OpenImages" and result.accuracy > 0.8 and result.classes[0] == "blue"
        again = run_tool_here(*probe, "--out", out)
        assert again.returncode == 1 and "--force" in again.stderr and not again.stdout
        several = run_tool_here(*probe[:3])
        assert several.returncode == 1 and "name one of: fc1, conv5_pooled" in several.stderr

    (tmp_path / "paper.json").write_text('{"6": {"openimages": {"caltech256": 1.25}}}')
    arguments = [tmp_path / "results", "--rename", "photos=Caltech-256", "--out", tmp_path / "tables.md"]
    done = run_tool_here(TOOLS / "transfer_tables.py", *arguments, "--paper", tmp_path / "paper.json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tables.md").read_text().strip() in done.stdout
    (line, _) = [line for line in done.stdout.splitlines() if line.startswith("| OpenImagesV4")]
    assert line.endswith("| 1.2 |") and "**Table 7**" in done.stdout
    for extra, message in ((["--rename", "photos"], "give OLD=NEW"), ([], "--force")):
        done = run_tool_here(TOOLS / "transfer_tables.py", *arguments[:1], *(extra or arguments[3:]))
        assert done.returncode == 1 and message in done.stderr


def without_log(output: str) -> list[str]:
    """Lines that bear no time."""
    return [line for line in output.splitlines() if " - mmengine - " not in line]


def test_table_7_in_one_command(data: Path, tmp_path: Path, run_tool_here: Callable) -> None:
    dataset = f'type="mmdetpre.ClassFolders", data_root="{data}/photos", per_class=6, pipeline=[]'
    folders = "\n".join(f'{p}_dataloader = dict(dataset=dict(split="{p}", {dataset}))' for p in ("train", "test"))
    header = 'custom_imports = dict(imports=["mmdetpre"])\ndefault_scope = "mmpretrain"\n'
    (tmp_path / "colors.py").write_text(header + folders)
    command = [
        TOOLS / "layer_probes.py", CONFIG, data / "epoch_2.pth", "--data-config", tmp_path / "colors.py", *SIZE,
        "--out", tmp_path / "out", "--strengths", "1e-2", "1e-4", "--seeds", "0",
    ]  # fmt: skip
    done = run_tool_here(*command)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "out/table7.md").read_text()
    assert table.strip() in done.stdout
    for layer in ("Conv5 (pooled)", "ConvProj blob", "ConvProj 4x4", "ConvProj 2x2", "ConvProj (pooled)", "FC1", "FC2"):
        assert table.count(f"| {layer} |") == 2
    assert "| colors |" in table and len(list((tmp_path / "out/results").iterdir())) == 14
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.[jn]*")}
    again = run_tool_here(*command)
    assert again.returncode == 0 and without_log(again.stdout) == without_log(done.stdout)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    other = run_tool_here(*command[:-1], "1")
    assert other.returncode == 1 and "was made of other settings" in other.stderr and not without_log(other.stdout)


def test_launchers_give_parts(data: Path, tmp_path: Path, run_tool_here: Callable, monkeypatch) -> None:
    arguments = ["--layers", "conv5_pooled", "--out", tmp_path / "out"]
    lost = extract(data, run_tool_here, "test", *arguments, "--launcher", "slurm")
    assert lost.returncode == 1 and "SLURM_PROCID is not set: start the tool with torchrun or srun" in lost.stderr
    for rank in ("1", "0"):
        for name, value in (("RANK", rank), ("WORLD_SIZE", "2"), ("LOCAL_RANK", rank)):
            monkeypatch.setenv(name, value)
        done = extract(data, run_tool_here, "test", *arguments, "--launcher", "pytorch")
        assert done.returncode == 0, done.stderr
    assert len(read_features(tmp_path / "out")) == 12


def test_extraction_says_what_is_wrong(data: Path, tmp_path: Path, run_tool_here: Callable) -> None:
    tool, out = TOOLS / "extract_features.py", ["--out", tmp_path / "out", *SIZE]
    images = ["--images", data / "photos"]
    (tmp_path / "lost.txt").write_text("blue/77.png")
    for arguments, message in (
        ([CONFIG, data / "epoch_2.pth", "--layers", "fc3", *images], "SNIPER has no layer 'fc3'. It has conv5"),
        ([CONFIG, data / "backbone.pth", "--layers", "fc1", *images], "holds a backbone only, but fc1 need"),
        ([CONFIG, "nowhere.pth", "--layers", "fc1", *images], "nowhere.pth"),
        ([CONFIG, data / "epoch_2.pth", "--layers", "fc1", *images, "--split", "test"], "both say which images"),
        ([CONFIG, data / "epoch_2.pth", "--layers", "fc1", "--split-file", "a.txt"], "give --images FOLDER too"),
        ([CONFIG, "x.pth", "--layers", "fc1", "--data-options", "a=1"], "--data-config, which is not given"),
        ([CONFIG, "x.pth", "--layers", "fc1", *images, "--shard", "1"], "--shard 1: give I/N"),
        ([CONFIG, "x.pth", "--layers", "fc1", *images, "--split-file", tmp_path / "lost.txt"], "blue/77.png"),
    ):
        done = run_tool_here(tool, *arguments, *out)
        assert done.returncode == 1 and done.stderr.startswith("extract_features: "), done.stderr
        assert message in done.stderr and not done.stdout
    assert not (tmp_path / "out").exists()


def test_probes_say_what_is_wrong(tmp_path: Path, run_tool_here: Callable) -> None:
    for tool in ("linear_probe", "knn_probe"):
        done = run_tool_here(TOOLS / f"{tool}.py", tmp_path / "train", tmp_path / "test")
        assert done.returncode == 1 and done.stderr.startswith(f"{tool}: There is no folder of features")
    for arguments, message in (
        ([], "Which images? Give either --data-config"),
        (["--images", tmp_path], "--images needs --train-file and --test-file"),
        (["--data-config", tmp_path / "no.py", "--paper", tmp_path / "no.json"], "with figures of the paper"),
        (["--data-config", tmp_path / "no.py"], "There is no config"),
    ):
        done = run_tool_here(TOOLS / "layer_probes.py", CONFIG, "x.pth", "--out", tmp_path / "out", *arguments)
        assert done.returncode == 1 and message in done.stderr, done.stderr
    done = run_tool_here(TOOLS / "transfer_tables.py", tmp_path)
    assert done.returncode == 1 and "There is no result in" in done.stderr
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == "[]"
