from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mmdetpre.datasets.classification.caltech256 import Caltech256
from mmdetpre.datasets.classification.check import CHECKS, DataCheck
from mmdetpre.datasets.classification.sun397 import SUN397

TOOLS = Path(__file__).parents[2] / "tools/dataset_converters"
CHECK, SPLIT = TOOLS / "check_classification_data.py", TOOLS / "split_class_folders.py"


@pytest.fixture
def caltech256(tmp_path: Path) -> Path:
    root = tmp_path / "caltech256"
    for name, size in (("001.ak47", 61), ("257.clutter", 63)):
        folder = root / "256_ObjectCategories" / name
        folder.mkdir(parents=True)
        for i in range(1, size + 1):
            (folder / f"{name[:3]}_{i:04d}.jpg").touch()
    return root


@pytest.fixture
def flowers102(tmp_path: Path) -> Path:
    """The official numbers of images, in three splits of classes of equal size; one image is there."""
    root = tmp_path / "flowers"
    (root / "jpg").mkdir(parents=True)
    labels = np.concatenate([np.tile(np.arange(1, 103), 20), np.arange(6_149) % 102 + 1]).astype(np.uint8)
    savemat(root / "imagelabels.mat", {"labels": labels[None]})
    numbers = np.arange(1, 8_190, dtype=np.uint16)[None]
    split = {"trnid": numbers[:, :1_020], "valid": numbers[:, 1_020:2_040], "tstid": numbers[:, 2_040:]}
    savemat(root / "setid.mat", split)
    Image.new("RGB", (8, 8)).save(root / "jpg/image_00001.jpg")
    return root


def test_counts_and_missing_files(
    caltech256: Path, flowers102: Path, run_tool: Callable, run_tool_here: Callable
) -> None:
    first = run_tool(CHECK, f"caltech256={caltech256}")
    lines = [line.split() for line in first.stdout.splitlines()]
    assert first.returncode == 1, first.stderr
    assert ["classes", "2", "expected", "257"] in lines and ["train", "120", "expected", "15,420"] in lines
    assert ["test", "4", "expected", "15,187"] in lines and "256_ObjectCategories/001.ak47" in first.stdout

    done = run_tool_here(CHECK, f"flowers102={flowers102}", "--decode")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == 1
    for what, count in (("classes", "102"), ("train", "1,020"), ("trainval", "2,040"), ("test", "6,149")):
        assert [what, count] in lines
    assert "8,188 files are missing:" in done.stdout and done.stdout.count("jpg/image_0000") == 6
    assert "Cannot be read" not in done.stdout


def test_sun397(tmp_path: Path) -> None:
    (tmp_path / "Partitions").mkdir()
    for part in ("Training", "Testing"):
        lines = [f"/{name[0]}/{name}/sun_{i}.jpg\n" for name in SUN397.METAINFO["classes"] for i in range(50)]
        lines[0] = lines[-1] if part == "Testing" else lines[0]
        (tmp_path / "Partitions" / f"{part}_01.txt").write_text("".join(lines))
    check = CHECKS["sun397"](str(tmp_path))
    assert check.counts == {"classes": (397, 397), "train": (19_850, 19_850), "test": (19_850, 19_850)}
    assert check.problems == ["The classes of test have 49 to 51 images, not 50."]
    assert len(check.missing) == 39_700 and not check.images and not check.good


def test_a_complete_set_is_good() -> None:
    check = DataCheck("Own", "", counts={"train": (3, 3)})
    assert check.good and str(check).splitlines() == ["Own: complete", "  train                  3"]


def test_check_says_what_is_wrong(
    caltech256: Path, tmp_path: Path, run_tool_here: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, message in (
        (["imagenet"], "choose one of caltech256, sun397, flowers102"),
        ([], "none of data/caltech256"),
    ):
        done = run_tool_here(CHECK, *arguments)
        assert done.returncode == 1 and message in done.stderr and not done.stdout
    (tmp_path / "data").mkdir()
    (tmp_path / "data/caltech256").symlink_to(caltech256)
    (caltech256 / "256_ObjectCategories/002.american-flag").mkdir()
    done = run_tool_here(CHECK)  # what lies below data/
    assert done.returncode == 1 and "1 of the 3 class folders" in done.stdout and "SUN" not in done.stdout
    done = run_tool_here(CHECK, "sun397")
    assert done.returncode == 1 and "Training_01.txt" in done.stdout and "unpacked into Partitions" in done.stdout


def test_split_files(caltech256: Path, run_tool: Callable, run_tool_here: Callable) -> None:
    folder = caltech256 / "256_ObjectCategories"
    (folder / "tools").mkdir()
    command = [folder, "--caltech256", "--out-dir", caltech256]
    first = run_tool(SPLIT, *command)
    assert first.returncode == 0 and "120 images" in first.stdout, first.stderr
    drawn = Caltech256(str(caltech256), "test")
    assert (caltech256 / "test.txt").read_text().split() == [
        Path(drawn.get_data_info(i)["img_path"]).relative_to(folder).as_posix() for i in range(len(drawn))
    ]
    again = run_tool_here(SPLIT, *command)
    assert again.returncode == 1 and "--force" in again.stderr
    other = run_tool_here(SPLIT, *command, "--per-class", "61", "--force")
    assert other.returncode == 1 and "001.ak47 (61)" in other.stderr
    own = run_tool_here(SPLIT, folder, "--out-dir", caltech256, "--force")
    assert own.returncode == 1 and "hold no image: tools" in own.stderr
