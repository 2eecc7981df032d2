from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mmdetpre.sample import make_sample

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/browse_chips.py"
CONFIG = """
custom_imports = dict(imports=["mmdetpre"])
train_dataloader = dict(
    dataset=dict(
        type="mmdetpre.ChipDataset",
        chips=dict(
            chip_size=64, scales=[(96, 128), (48, 64)], valid_ranges=[(-1, 40), (30, -1)],
            range_reference=128, strides=(7, 8),
        ),
        pipeline=[
            dict(type="mmdetpre.LoadChip"), dict(type="RandomFlip", prob=0.5), dict(type="mmdetpre.PackChipInputs")
        ],
        dataset=dict(
            type="mmdetpre.PackedOpenImagesDataset",
            data_root="ROOT",
            ann_file="annotations/train-annotations-bbox.csv",
            label_file="annotations/class-descriptions-boxable.csv",
            hierarchy_file="annotations/bbox_labels_600_hierarchy.json",
            data_prefix=dict(img="OpenImages/train/"),
            classes=None,
        ),
    )
)
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browse")
    root = make_sample(folder / "sample", train=4, validation=1, size=(128, 96), progress=False)
    path = folder / "tiny_chips.py"
    path.write_text(CONFIG.replace("ROOT", str(root)))
    return path


def test_draws_and_refuses_to_overwrite(
    config: Path, tmp_path: Path, run_tool: Callable, run_tool_here: Callable
) -> None:
    arguments = [config, "--out-dir", tmp_path / "out", "-n", 2]
    first = run_tool(TOOL, *arguments)
    assert first.returncode == 0, first.stderr
    pictures = sorted((tmp_path / "out").glob("*_chips.png"))
    assert len(pictures) == 2
    assert all(Image.open(path).width > 1000 for path in pictures)
    second = run_tool_here(TOOL, *arguments)
    assert second.returncode == 1 and "--force" in second.stderr


def test_says_what_is_missing(tmp_path: Path, run_tool_here: Callable) -> None:
    config = tmp_path / "config.py"
    config.write_text("val_dataloader = None\n")
    no_training = run_tool_here(TOOL, config, "--out-dir", tmp_path / "out")
    assert no_training.returncode == 1 and "has no train_dataloader" in no_training.stderr
