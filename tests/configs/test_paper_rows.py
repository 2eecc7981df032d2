"""What the headers of the configs, and so the model zoo, say of the paper is what its tables have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmdetpre.paper.values import DATA_SETS, VALUES

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FULL = sorted(p for f in ("cls", "det", "seg") for p in (CONFIGS / f).glob("*.py") if not p.stem.endswith("_sample"))
TITLES = {DATA_SETS[start].title: start for start in ("imagenet_cls", "imagenet_loc", "coco", "openimages")}
TABLES = {"sniper_voc": "2", "deeplab_voc": "4"}
TABLES |= {
    f"{name}{kind}": table
    for name in ("caltech256", "sun397", "flowers102")
    for kind, table in (("", "5"), ("_linear", "6"))
}
PRETRAININGS = {"imagenet_cls": "imagenet_cls", "sniper_imagenet_loc": "imagenet_loc"}
PRETRAININGS |= {"sniper_coco": "coco", "sniper_coco_deform_roi": "coco", "sniper_openimages": "openimages"}


def header(path: Path) -> str:
    text = " ".join(line[1:].strip() for line in path.read_text().splitlines() if line.startswith("#"))
    _, _, told = text.partition("Paper: ")
    return told


def numbers(text: str) -> tuple[int, ...]:
    """Tables of ``2 to 6`` or ``2, 4 and 5``."""
    if span := re.fullmatch(r"(\d) to (\d)", text):
        return tuple(range(int(span[1]), int(span[2]) + 1))
    return tuple(map(int, re.findall(r"\d", text)))


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
def test_every_row_that_a_header_names_is_there_with_its_numbers(path: Path) -> None:
    told = header(path)
    for table, title, values in re.findall(r'Table (\d), row "([^"]+)"(?:: ([\d./ ]*\d))?', told):
        row = VALUES[table][TITLES[title]]
        column = path.stem.partition("_")[0]
        expected = [row[column]] if column in row else list(row.values())
        assert [float(value) for value in values.split("/")] == expected, told
    for title, tables in re.findall(r'"([^"]+)" rows of Tables ([\d, and to]+\d)', told):
        assert numbers(tables) == tuple(int(t) for t in "23456" if TITLES[title] in VALUES[t]), told


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
def test_a_task_names_its_table_and_a_pre_training_its_rows(path: Path) -> None:
    if path.stem in PRETRAININGS:
        assert f'"{DATA_SETS[PRETRAININGS[path.stem]].title}" rows of Tables' in header(path)
    if path.stem in TABLES:
        assert re.match(rf"Tables? {TABLES[path.stem]}\b", header(path)), header(path)
        assert "none for COCO" in header(path) or "coco" in VALUES[TABLES[path.stem]] or "_linear" in path.stem


def test_the_numbers_of_the_pre_trainings_are_the_papers() -> None:
    for name, start, text in (
        ("sniper_openimages", "openimages", "{:.0f} mAP"),
        ("sniper_imagenet_loc", "imagenet_loc", "{:.1f} mAP"),
        ("sniper_coco", "coco", "{:.1f} AP on test-dev"),
    ):
        (value,) = VALUES["pretraining"][start].values()
        assert text.format(value) in header(CONFIGS / "det" / f"{name}.py")
