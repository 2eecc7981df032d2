from __future__ import annotations

from pathlib import Path

import pytest

from mmdetpre.config_files import config_names, find_config, main


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("det/one.py", "seg/two.py", "_base_/models/one.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize("name", ["one", "one.py", "det/one", "det/one.py"])
def test_config_is_found_by_name_and_by_path(root: Path, name: str) -> None:
    assert find_config(name, root) == root / "det" / "one.py"


def test_unknown_config_lists_those_that_exist(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="'three'.*det/one.py, seg/two.py"):
        find_config("three", root)


def test_base_files_are_not_listed(root: Path) -> None:
    assert config_names(root) == ["det/one.py", "seg/two.py"]


def test_command_line_prints_the_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sniper_openimages"]) == 0
    assert capsys.readouterr().out.strip().endswith("configs/det/sniper_openimages.py")
    assert main(["nothing_of_this_name"]) == 1
