"""Tables of the paper, and a user's file of other figures, which is checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmdetpre.paper.tables import DATA, INITS, TABLES, key_of, with_figures
from mmdetpre.paper.values import VALUES


def test_which_tables_there_are() -> None:
    assert list(TABLES) == ["2", "3", "4", "5", "6", "7", "coco_finetuning", "pretraining"]
    assert [key for key, table in TABLES.items() if table.lower_is_better] == ["3"]
    assert TABLES["4"].in_paper("miou") and not TABLES["4"].in_paper("trimap")


def test_a_file_of_before_the_figures_shipped_still_works(tmp_path: Path) -> None:
    file = tmp_path / "paper.json"
    file.write_text('{"5": {"coco": {"sun397": 61.5, "caltech256": null}}, "7": {"fc1": {"caltech256": 80}}}')
    tables = with_figures(file)
    assert tables["5"].figures["coco"] == VALUES["5"]["coco"] | {"sun397": 61.5}
    assert tables["7"].figures["fc1"] == {"caltech256": 80.0} and TABLES["7"].figures["fc1"] == {"caltech256": 71.6}
    assert tables["6"].figures == VALUES["6"] and tables["5"].rows == INITS


def test_a_file_adds_to_what_ships_and_may_overrule_it(tmp_path: Path) -> None:
    file = tmp_path / "paper.json"
    file.write_text('{"4": {"coco": {"miou": 70, "trimap": 50.5}}, "3": {"coco": {"low": 30.5}}}')
    tables = with_figures(file)
    assert tables["4"].figures == {**VALUES["4"], "coco": {"miou": 70.0, "trimap": 50.5}}
    assert tables["4"].in_paper("trimap") and not TABLES["4"].in_paper("trimap")
    assert tables["3"].figures["coco"] == {"low": 30.5} and tables["3"].lower_is_better
    file.write_text('{"2": {"openimages": {"ap70": 81.25}}}')
    assert with_figures(file)["2"].figures["openimages"] == {"ap50": 86.8, "ap70": 81.25}
    assert TABLES["2"].figures == VALUES["2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"8": {"coco": {"sun397": 1}}}, "names table 8: there is 2, 3, 4, 5, 6, 7"),
        ({"3": {"coco": {"occluded": 30.5}}}, "names column 'occluded' of table 3: the paper's are low and medium"),
        ({"5": {"fc1": {"sun397": 1}}}, "names row 'fc1' of table 5: there is imagenet_cls, "),
        ({"5": {"coco": {"voc": 1}}}, "names column 'voc' of table 5: there is caltech256, sun397"),
        ({"5": {"coco": {"sun397": 610}}}, "has 610 in table 5, coco, sun397: give percent"),
        ({"5": {"coco": {"sun397": "61"}}}, "has '61' in table 5"),
        ({"5": {"coco": 61}}, "is not of the form"),
        ([1], "is not of the form"),
    ],
)
def test_other_files_are_refused(content: object, message: str, tmp_path: Path) -> None:
    (tmp_path / "paper.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        with_figures(tmp_path / "paper.json")


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file .* with figures"):
        with_figures(tmp_path / "nowhere.json")
    (tmp_path / "paper.json").write_text("{")
    with pytest.raises(ValueError, match="is not of the form"):
        with_figures(tmp_path / "paper.json")


def test_names_are_found_in_any_spelling() -> None:
    for name in ("openimages", "OpenImages V4", "OpenImagesV4", "Open-Images"):
        assert key_of(name, INITS) == "openimages"
    assert (
        key_of("SUN397", DATA) == key_of("sun-397", DATA) == "sun397" and key_of("caltech256_sample", DATA) not in DATA
    )
