from __future__ import annotations

from pathlib import Path

import pytest

from mmdetpre.utils.file_arguments import named_files, require_new_files


def test_names_and_files_come_in_their_order() -> None:
    files = named_files(["b=runs/b=1.json", "a=a.json"], "scratch=iou.json")
    assert list(files.items()) == [("b", Path("runs/b=1.json")), ("a", Path("a.json"))]


@pytest.mark.parametrize("argument", ["runs/a.json", "a=", "=a.json"])
def test_an_argument_without_name_or_file(argument: str) -> None:
    with pytest.raises(ValueError, match=f"'{argument}' has another form than NAME=FILE, such as scratch=iou.json"):
        named_files([argument], "scratch=iou.json")


def test_two_runs_of_one_name() -> None:
    with pytest.raises(ValueError, match="Two runs are called 'a'"):
        named_files(["a=1.json", "a=2.json"], "scratch=iou.json")


def test_files_to_be_written(tmp_path: Path) -> None:
    old, new = tmp_path / "old.png", tmp_path / "new.png"
    old.touch()
    require_new_files([(new, (".png", ".pdf")), (None, (".csv",))])
    with pytest.raises(ValueError, match=r"new.png ends in '.png': expected one of .csv, .json"):
        require_new_files([(new, (".csv", ".json"))])
    with pytest.raises(FileExistsError, match=r"old.png exists: choose another name, or add --force"):
        require_new_files([(old, (".png",))])
    require_new_files([(old, (".png",))], force=True)
