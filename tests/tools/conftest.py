"""A tool as a user starts it, and, far cheaper, in this process."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_tool() -> Run:
    """Function that runs a tool in a process of its own; once per tool, for its imports take seconds."""

    def run(tool: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(tool), *map(str, arguments)], capture_output=True, text=True)

    return run


@pytest.fixture
def run_tool_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Function that runs a tool in this process, with the same result."""

    def run(tool: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(tool), *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", command)
        capsys.readouterr()
        status: int | str | None = 0
        try:
            runpy.run_path(str(tool), run_name="__main__")
        except SystemExit as stopped:
            status = stopped.code
        output, errors = capsys.readouterr()
        if isinstance(status, str):
            return subprocess.CompletedProcess(command, 1, output, f"{errors}{status}\n")
        return subprocess.CompletedProcess(command, status or 0, output, errors)

    return run
