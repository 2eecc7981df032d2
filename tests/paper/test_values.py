"""The paper's numbers, typed again from its tables: what the package holds and prints is what stands there."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import astuple
from pathlib import Path

import pytest

from mmdetpre.paper.tables import TABLES
from mmdetpre.paper.values import CLASS_GAINS, DATA_SETS, TEXT_VALUES, VALUES, paper_value
from mmdetpre.results.transfer_tables import paper_markdown

PRINTED = """
2 dcn_v1 ap50 81.9 ap70 68.2
2 dcn_v2 ap50 84.9 ap70 73.5
2 imagenet_cls ap50 84.6 ap70 76.3
2 imagenet_loc ap50 86.5 ap70 80.0
2 coco ap50 86.8 ap70 80.7
2 openimages ap50 86.8 ap70 81.1
3 imagenet_cls low 14.7 medium 15.7
3 openimages low 10.1 medium 10.8
4 dcn_v1 miou 75.2
4 imagenet_cls miou 75.7
4 imagenet_loc miou 78.3
4 openimages miou 78.6
5 imagenet_loc caltech256 82.3 sun397 58.3 flowers102 90.9
5 coco caltech256 79.8 sun397 57.8 flowers102 91.4
5 openimages caltech256 82.2 sun397 59.5 flowers102 92.6
5 imagenet_cls caltech256 86.3 sun397 61.5 flowers102 95.0
6 imagenet_cls caltech256 84.7 sun397 57.3 flowers102 87.4
6 openimages caltech256 76.7 sun397 51.1 flowers102 83.1
7 conv5_pooled caltech256 76.7
7 conv_proj caltech256 69.7
7 conv_proj_4x4 caltech256 72.4
7 conv_proj_2x2 caltech256 73.3
7 conv_proj_pooled caltech256 74.1
7 fc1 caltech256 71.6
7 fc2 caltech256 70.0
coco_finetuning imagenet_cls ap50 67.5 ap75 52.2
pretraining openimages test_ap50 45
pretraining coco test_map 46.1
pretraining imagenet_loc test_ap50 37.4
"""
SIZES = """
ImageNet-CLS | 1000 | 1.28M | | |
OpenImagesV4 | 500 | 1.74M | 14.6M | |
ImageNet-LOC | 3,130 | 0.92M | 1.06M | |
COCO | 80 | 0.14M | 0.89M | |
Caltech-256 | 257 | 15.4K | | 15.2K |
SUN-397 | 397 | 19.9K | | 19.9K |
Flowers-102 | 102 | 2.0K | | 6.1K |
PASCAL VOC detection | 20 | 16.6K | 40.1K | 5.0K | 12.0K
PASCAL VOC segmentation | 21 | 10.6K | | 1.4K |
"""


def test_every_cell_of_the_tables() -> None:
    printed = {}
    for line in PRINTED.strip().splitlines():
        table, row, *cells = line.split()
        printed |= {(table, row, column): float(value) for column, value in zip(cells[::2], cells[1::2], strict=True)}
    held = {(t, r, c): value for t, rows in VALUES.items() for r, cells in rows.items() for c, value in cells.items()}
    gains = {("coco_finetuning", "openimages", c): v for c, v in (("ap50", 67.5 + 0.7), ("ap75", 52.2 + 1.4))}
    assert held == pytest.approx(printed | gains)
    assert {number: table.figures for number, table in TABLES.items()} == VALUES
    for table, rows in VALUES.items():
        assert rows.keys() <= TABLES[table].rows.keys()
        assert {column for cells in rows.values() for column in cells} <= TABLES[table].columns.keys()


def test_table_1_as_printed() -> None:
    lines = [tuple(cell.strip() for cell in line.split("|")) for line in SIZES.strip().splitlines()]
    assert [astuple(data) for data in DATA_SETS.values()] == lines


def test_numbers_of_the_text() -> None:
    assert CLASS_GAINS == {"sheep": 7.5, "cow": 6.5, "diningtable": 5.6, "pottedplant": None}
    told = {key: number.value for key, number in TEXT_VALUES.items()}
    assert told["voc_gain"] == "+2.2 / +4.8" and told["coco_gain"] == "+0.7 / +1.4"
    assert told["tsne"] == "10, 0.5" and told["mask"] == "60 x 60"
    assert (told["pairs"], told["clusters"], told["close"], told["distant"]) == ("100,000", "2 to 1,000", "1,000", "5")
    values = VALUES["2"]
    gains = [values["openimages"][c] - values["imagenet_cls"][c] for c in ("ap50", "ap70")]
    assert gains == pytest.approx([2.2, 4.8])


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (("4", "coco", "miou"), "no row 'coco' of table 4: it has dcn_v1, imagenet_cls, imagenet_loc, openimages"),
        (("6", "imagenet_loc", "sun397"), "no row 'imagenet_loc' of table 6: it has imagenet_cls, openimages"),
        (("7", "fc1", "sun397"), "no column 'sun397' of table 7, row fc1: it has caltech256"),
        (("9", "coco", "miou"), "no table '9': it has 2, 3, 4, 5, 6, 7, coco_finetuning, pretraining"),
    ],
)
def test_what_the_paper_does_not_have(place: tuple[str, str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paper_value(*place)
    assert paper_value("2", "openimages", "ap70") == 81.1


def test_the_tool_prints_all_of_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "tools/analysis_tools/transfer_tables.py"
    spec = importlib.util.spec_from_file_location("transfer_tables_tool", path)
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(sys, "argv", ["transfer_tables.py"])
    assert tool.main() == 0
    text = capsys.readouterr().out
    assert text.strip() == paper_markdown() and "see paper" not in text
    for line in PRINTED.strip().splitlines():
        for value in line.split()[3::2]:
            assert f" {float(value):.1f} " in text
    for data in DATA_SETS.values():
        assert "| " + " | ".join(size or "—" for size in astuple(data)) + " |" in text
    assert all(number.what in text and number.value in text for number in TEXT_VALUES.values())
    monkeypatch.setattr(sys, "argv", ["transfer_tables.py", "--out", "a.md"])
    with pytest.raises(ValueError, match="--out is for your results"):
        tool.main()
