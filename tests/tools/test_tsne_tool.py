from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.analysis.features.feature_file import FeatureFile, write_features

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/tsne.py"
PLAN = dict(images=[f"{i}.jpg" for i in range(30)], labels=np.arange(30) % 3, classes=["cat", "dog", "cow"])


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    random = np.random.default_rng(0)
    for name in "ab":
        layers = {"conv5_pooled": random.random((30, 4)), "fc1": random.random((30, 2))}
        write_features(tmp_path / name, layers, **PLAN)
    return [f"--run={name}={tmp_path / name}" for name in "ab"]


def test_draws_and_writes_the_same_twice(
    runs: list[str], tmp_path: Path, run_tool: Callable, run_tool_here: Callable
) -> None:
    plot, out = tmp_path / "new" / "tsne.png", tmp_path / "new" / "tsne.json"
    options = ["--layer", "conv5_pooled", "--classes", "dog", "0", "--perplexity", 5]
    first = run_tool(TOOL, *runs, *options, "--plot", plot, "--out", out)
    assert first.returncode == 0, first.stderr
    assert "Colored: dog, cat" in first.stdout and "a: 30 images" in first.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
    content = json.loads(out.read_text())
    assert content["shown"] == [1, 0] and content["settings"]["perplexity"] == 5
    assert content["settings"]["runs"][1]["layer"] == "conv5_pooled"

    table = tmp_path / "tsne.csv"
    again = run_tool_here(TOOL, *runs, *options, "--plot", plot, "--out", table)
    assert again.returncode == 1 and "--force" in again.stderr and not table.exists()
    again = run_tool_here(TOOL, *runs, *options, "--out", table)
    assert again.returncode == 0, again.stderr
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == PLAN["images"]
    assert (rows[4]["class"], rows[4]["coloured"], rows[5]["class"], rows[5]["coloured"]) == ("dog", "1", "cow", "0")
    for name in "ab":
        places = [[float(row[f"{name} x"]), float(row[f"{name} y"])] for row in rows]
        assert places == content["maps"][name]["points"]


def test_says_what_is_wrong(runs: list[str], tmp_path: Path, run_tool_here: Callable) -> None:
    def written(name: str, values: np.ndarray, **changes: object) -> str:
        file: FeatureFile = write_features(tmp_path / name, {"fc1": values}, **(PLAN | changes))
        return f"--run={name}={file.path}"

    usual = np.random.default_rng(1).random((30, 2))
    one = written("one", usual[:1], images=["0.jpg"], labels=[0])
    reversed_images = written("reversed", usual, images=PLAN["images"][::-1])
    constant = written("constant", np.ones((30, 2)))
    unlabeled = written("unlabelled", usual, labels=None, classes=())
    nan = written("nan", usual)
    values = np.load(tmp_path / "nan" / "fc1.npy")
    values[7] = np.nan
    np.save(tmp_path / "nan" / "fc1.npy", values)
    out = ["--out", tmp_path / "out.csv"]
    for arguments, message in (
        ([*runs], "Nothing is to be written"),
        ([*runs, *out, "--classes", "3"], "holds several layers, name one of: conv5_pooled, fc1"),
        ([*runs, *out, "--layer", "fc1", "fc1", "fc1"], "3 layers for 2 runs"),
        ([runs[0], reversed_images, *out, "--layer", "fc1"], "in another order: image 0 is 0.jpg"),
        ([one, *out], "A map of 1 image(s)"),
        ([constant, *out, "--classes", "3"], "constant: All images have the same features"),
        ([nan, *out, "--classes", "3"], "the content of fc1.npy has changed since it was written"),
        ([unlabeled, *out], "No image has a class"),
        ([constant, *out], "10 classes are asked for, the images have 3"),
        ([constant, *out, "--classes", "7"], "7 classes are asked for, the images have 3"),
        ([constant, *out, "--classes", "cat", "7"], "no class number 7: give a number from 0 to 2"),
        ([constant, *out, "--classes", "goat"], "no class 'goat'"),
        ([constant, *out, "--classes", "3", "--perplexity", "30"], "perplexity is 30, and there are 30 images"),
        (["--run=nowhere", *out], "another form than NAME=FILE"),
        (["--run=a=nowhere", *out], "There is no folder of features at nowhere"),
    ):
        done = run_tool_here(TOOL, *arguments)
        assert done.returncode == 1 and message in done.stderr and not done.stdout, (arguments, done.stderr)
        assert done.stderr.startswith("tsne: ") or "t-SNE" in done.stderr
        assert not (tmp_path / "out.csv").exists()
