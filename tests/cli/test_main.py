from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mmdetpre.cli import main as door
from mmdetpre.cli.main import TOOLS, main
from mmdetpre.version import __version__


@pytest.fixture(autouse=True)
def _own_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets them, and the main module, for its tool."""
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Function that makes ``mmdetpre demo`` a tool of this source."""

    def write(source: str) -> None:
        (tmp_path / "tool.py").write_text(source)
        monkeypatch.setattr(door, "TOOL_ROOT", tmp_path)
        monkeypatch.setitem(TOOLS, "demo", ("tool.py", "a tool"))

    return write


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_each_command_is_a_tool_of_the_package(name: str) -> None:
    assert (door.TOOL_ROOT / TOOLS[name][0]).is_file()


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        assert main(arguments) == 0
        lines = capsys.readouterr().out.splitlines()
        assert {line.split()[0] for line in lines if line.startswith("  ")} == {*TOOLS, "config", "mim"}
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_help_of_the_command_and_of_the_study_wait_for_no_torch() -> None:
    script = """
import sys
from mmdetpre.cli.main import main
for arguments in ["--help"], ["config"], ["config", "sniper_openimages"], ["stduy"], ["study", "run", "--help"]:
    main(arguments)
    assert not {"torch", "mmengine", "cv2"} & set(sys.modules), arguments
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: mmdetpre study run" in done.stdout
    assert done.stderr == (
        "mmdetpre: there is no command 'stduy' (did you mean study?): "
        "it is one of demo, study, detect, pack, chips, inspect, verify, export, config.\n"
    )


def test_unknown_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xyzzy", "--out", "a"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("mmdetpre: there is no command 'xyzzy': it is one of demo,")
    assert shown.err.count("\n") == 1


def test_arguments_and_exit_code_pass_through(tool, capsys: pytest.CaptureFixture[str]) -> None:
    tool("import sys; print(sys.argv, __name__); raise SystemExit(7)")
    assert main(["demo", "--out", "a b"]) == 7
    assert capsys.readouterr().out == "['mmdetpre demo', '--out', 'a b'] __main__\n"
    tool("raise SystemExit")
    assert main(["demo"]) == 0
    tool("")
    assert main(["demo"]) == 0


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        (
            "import nobodys_package.part",
            1,
            "the package 'nobodys_package' is not installed: pip install 'mmdetpre[all]'",
        ),
        ("raise ImportError('mmdetpre: mmcv is not installed. Take it.')", 1, "mmcv is not installed. Take it.\n"),
        ("raise SystemExit('a word')", 1, "a word\n"),
        ("raise KeyboardInterrupt", 130, "stopped\n"),
    ],
)
def test_what_ends_a_tool_is_one_message(
    tool, capsys: pytest.CaptureFixture[str], source: str, code: int, message: str
) -> None:
    tool(source)
    assert main(["demo"]) == code
    error = capsys.readouterr().err
    assert error.startswith(f"mmdetpre demo: {message}")
    assert error.count("\n") == 1


def test_faults_of_ours_keep_their_traceback(tool) -> None:
    tool("import mmdetpre.no_such_module")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        main(["demo"])
    tool("from mmdetpre.version import no_such_name")
    with pytest.raises(ImportError, match="no_such_name"):
        main(["demo"])


def test_package_without_its_tools_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(door, "TOOL_ROOT", tmp_path)
    assert main(["detect"]) == 1
    assert "detect.py is missing: install the package with `pip install mmdetpre`" in capsys.readouterr().err


def test_demo_draws_into_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny_sample: Path
) -> None:
    """The first step; the sample stands for it already, a small one."""
    monkeypatch.chdir(tmp_path)
    drawn = []
    monkeypatch.setattr("mmdetpre.sample.make_sample", lambda root: drawn.append(Path(root).resolve()))
    assert main(["demo", "--sample-only"]) == 0
    assert drawn == [tmp_path / "data" / "sample"]
    assert (tmp_path / "work_dirs" / "demo" / "demo.json").is_file()


def test_study_finds_the_files_that_the_package_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["study", "plan", "sample"]) == 0
    assert capsys.readouterr().out.endswith(" runs\n")
    assert list(tmp_path.iterdir()) == []
    assert main(["study", "plan", "smaple"]) == 1
    assert capsys.readouterr().err.startswith("study plan: There is no file smaple")
    assert list(tmp_path.iterdir()) == []
