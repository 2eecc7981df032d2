from __future__ import annotations

from pathlib import Path

import pytest

from mmdetpre.config_files import config_names, find_config


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("det/one.py", "seg/two.py", "_base_/models/one.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize("name", ["one", "one.py", "det/one", "det/one.py", "configs/det/one.py"])
def test_config_is_found_by_name_and_by_path(root: Path, name: str) -> None:
    assert find_config(name, root) == root / "det" / "one.py"


def test_unknown_config_names_the_nearest(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="'tow': the nearest are two; `mmdetpre config` lists all 2"):
        find_config("tow", root)


def test_missing_configs_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="pip install mmdetpre"):
        find_config("one", tmp_path / "none")


def test_base_files_are_not_listed(root: Path) -> None:
    assert config_names(root) == ["det/one.py", "seg/two.py"]
