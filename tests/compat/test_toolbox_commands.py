from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from mmdetpre.compat import toolbox_commands
from mmdetpre.compat.toolbox_commands import testing_command as command_that_tests
from mmdetpre.compat.toolbox_commands import toolbox_name, training_command


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    """Function that pretends that a toolbox is installed under a name, with or without mim."""

    def pretend(name: str | None, mim: bool = True, folder: Path | None = None) -> None:
        spec = ModuleSpec("mim", None) if mim else None
        monkeypatch.setattr(toolbox_commands, "distribution_name", lambda toolbox: name)
        monkeypatch.setattr(toolbox_commands, "module_folder", lambda toolbox: folder)
        monkeypatch.setattr(toolbox_commands.importlib.util, "find_spec", lambda module: spec)

    return pretend


@pytest.mark.parametrize("name", ["mmdet", "onedl-mmdetection"])
def test_mim_is_called_by_the_name_that_is_installed(install, name: str) -> None:
    install(name)
    assert training_command("mmdet", "c.py", "--resume") == ["mim", "train", name, "c.py", "--resume"]
    tested = command_that_tests("mmdet", Path("c.py"), Path("e.pth"), "--tta")
    assert tested == ["mim", "test", name, "c.py", "--checkpoint", "e.pth", "--tta"]
    assert toolbox_name("mmdet") == name


def test_without_mim_the_script_of_the_toolbox_is_started(install, tmp_path: Path) -> None:
    tools = tmp_path / "mmdet" / ".mim" / "tools"
    tools.mkdir(parents=True)
    (tools / "train.py").touch()
    (tools / "test.py").touch()
    install("mmdet", mim=False, folder=tmp_path / "mmdet")
    assert training_command("mmdet", "c.py", "--resume") == [
        sys.executable,
        str(tools / "train.py"),
        "c.py",
        "--resume",
    ]
    assert command_that_tests("mmdet", "c.py", "e.pth") == [sys.executable, str(tools / "test.py"), "c.py", "e.pth"]
    with pytest.raises(ValueError, match="--launcher is an argument of mim, which is not installed. Run `pip install"):
        training_command("mmdet", "c.py", "--launcher", "pytorch", "--gpus", "2")


def test_a_source_tree_is_started_by_its_script_though_mim_is_there(install, tmp_path: Path) -> None:
    for folder in ("mmdet", "tools"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tools" / "train.py").touch()
    install(None, folder=tmp_path / "mmdet")
    assert training_command("mmdet", "c.py")[1:] == [str(tmp_path / "tools" / "train.py"), "c.py"]
    assert toolbox_name("mmdet") == "mmdet"
    with pytest.raises(FileNotFoundError, match=r"came without its tools: there is no \.mim/tools/test\.py"):
        command_that_tests("mmdet", "c.py", "e.pth")


def test_a_toolbox_that_is_not_there_is_named_with_both_ways_to_get_it(install) -> None:
    install(None)
    with pytest.raises(FileNotFoundError) as refused:
        training_command("mmsegmentation", "c.py")
    for part in ("Neither mmsegmentation nor onedl-mmsegmentation is installed", '"mmsegmentation>=1.2.2,<1.3"'):
        assert part in str(refused.value)


def test_the_scripts_of_this_environment_are_found() -> None:
    for toolbox in ("mmdet", "mmsegmentation", "mmpretrain"):
        for script in ("train", "test"):
            assert toolbox_commands._script(script, toolbox).parent.parent.name == ".mim"


def test_a_home_that_mim_cannot_write_to_is_one_message(
    install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install("mmdet")
    (tmp_path / "home").write_text("a file: nothing can be made below it, by root neither")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(ValueError, match=r"home/\.cache/mim, which cannot be made: Not a directory\. Set HOME to"):
        training_command("mmdet", "c.py")
    monkeypatch.setenv("HOME", str(tmp_path / "new"))
    assert training_command("mmdet", "c.py")[0] == "mim" and (tmp_path / "new" / ".cache" / "mim").is_dir()
