from __future__ import annotations

from pathlib import Path

import pytest

from mmdetpre.cli.main import main
from mmdetpre.config_files import config_names


def test_path_of_a_config(capsys: pytest.CaptureFixture[str], repository: Path) -> None:
    for name in ("sniper_openimages", "sniper_openimages.py", "det/sniper_openimages"):
        assert main(["config", name]) == 0
        assert Path(capsys.readouterr().out.strip()) == repository / "configs/det/sniper_openimages.py"


def test_all_configs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"]) == 0
    assert capsys.readouterr().out.splitlines() == config_names()


def test_what_a_config_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "sniper_openimages_sample", "--show"]) == 0
    shown: dict = {}
    exec(capsys.readouterr().out, shown)
    assert shown["model"]["type"] == "mmdetpre.SNIPER"
    assert shown["default_scope"] == "mmdet"


def test_unknown_config_is_one_line_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "sniper_openimage"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("mmdetpre config: No config 'sniper_openimage': the nearest are sniper_openimages, ")
    assert shown.err.count("\n") == 1
