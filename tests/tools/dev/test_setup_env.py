"""What stops the set-up is one message with the way out. A stub takes the place of Python, pip and uv."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

STUB = r"""#!/usr/bin/env bash
case "$*" in
    "-c import sys; print"*) echo 3.11 ;;
    "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$0" "$3/bin/uv" ;;
    "-m pip install "*) {pip} ;;
    "-m pip --version") echo "pip {version} from here" ;;
    "cache dir") echo "{cache}" ;;
    "--version") echo "stub 1" ;;
    "pip install "*) echo "cache: $UV_CACHE_DIR"; exit 2 ;;
esac
"""
NO_NETWORK = "WARNING: Retrying after connection broken by 'NewConnectionError: name resolution'\nERROR: No matching"
NO_WHEEL = "ERROR: Could not find a version that satisfies the requirement uv==1 (from versions: none)"


@pytest.fixture
def set_up(repository: Path, tmp_path: Path):
    """Function that runs the set-up of a copy of this checkout, and returns its output."""
    root = tmp_path / "checkout"
    shutil.copytree(repository / "tools" / "dev", root / "tools" / "dev")
    (root / "requirements").mkdir()
    for file in (repository / "requirements").iterdir():
        (root / "requirements" / file.name).symlink_to(file)
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "mmdetpre"):
        (root / name).symlink_to(repository / name)

    def run(pip: str = "", version: str = "23.2", cache: Path = tmp_path / "cache") -> str:
        stub = tmp_path / "python"
        (tmp_path / "says").write_text(pip)
        fails = f"cat {tmp_path / 'says'} >&2; exit 1" if pip else "true"
        stub.write_text(STUB.replace("{pip}", fails).replace("{version}", version).replace("{cache}", str(cache)))
        stub.chmod(0o755)
        environment = {"PATH": "/usr/bin:/bin", "PYTHON": str(stub)}
        command = ["bash", str(root / "tools" / "dev" / "setup_env.sh")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 1
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize(
    ("pip", "version", "told"),
    [
        (NO_NETWORK, "23.2", "no package index answers (ERROR: No matching). Connect this machine, or name a mirror"),
        (NO_WHEEL, "19.0.3", "pip 19.0.3 is too old to install uv. Remove .venv and run this again"),
        (NO_WHEEL, "23.2", f"pip 23.2 cannot install uv: {NO_WHEEL}"),
    ],
)
def test_what_pip_cannot_do_is_one_message(set_up, pip: str, version: str, told: str) -> None:
    output = set_up(pip, version)
    stopped = output.split("Set-up stopped: ")
    assert len(stopped) == 2 and stopped[1].startswith(told)
    assert "WARNING" not in output


def test_a_home_that_cannot_be_written_to_needs_no_cache(set_up, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file: nothing can be made below it, by root neither")
    output = set_up(cache=tmp_path / "home" / ".cache" / "uv")
    assert f"{tmp_path / 'home'}/.cache/uv cannot be written to: packages are downloaded into .venv" in output
    assert f"cache: {tmp_path / 'checkout'}/.venv/.uv-cache\n" in output
    assert "not all packages could be installed (output above). Run this again" in output


def test_a_home_that_can_be_written_to_keeps_its_cache(set_up, tmp_path: Path) -> None:
    output = set_up()
    assert "cache: \n" in output and (tmp_path / "cache").is_dir() and "cannot be written" not in output
