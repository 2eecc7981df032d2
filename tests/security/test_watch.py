"""The watch and the marker see what they are there for."""

from __future__ import annotations

import ast
import importlib.util
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

RUN = "pass"


def _import(folder: Path) -> None:
    (folder / "planted.py").write_text("pass")
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()
        __import__("planted")
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("planted", None)


def _import_module(folder: Path) -> None:
    (folder / "planted.py").write_text("pass")
    spec = importlib.util.spec_from_file_location("planted", folder / "planted.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


ATTACKS = {
    "os.system": lambda folder: os.system("true"),
    "subprocess.Popen": lambda folder: subprocess.run(["true"]),
    "os.posix_spawn": lambda folder: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    "exec": lambda folder: exec(RUN),
    "compile": lambda folder: compile(RUN, "x", "exec"),
    "import planted": _import,
    "exec <code object <module>.*planted": _import_module,
    "to write": lambda folder: (folder / "new").write_text(""),
    "to read": lambda folder: (folder / "secret").read_text(),
    "os.remove": lambda folder: (folder / "secret").unlink(),
    "os.rename": lambda folder: (folder / "secret").rename(folder / "other"),
    "os.mkdir": lambda folder: (folder / "new").mkdir(),
    "socket": lambda folder: socket.socket().close(),
}


@pytest.mark.parametrize("event", ATTACKS)
def test_it_is_seen(event: str, watched, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    with pytest.raises(AssertionError, match=event), watched():
        ATTACKS[event](tmp_path)


def test_what_is_allowed_is_not_reported(watched, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("1")
    with watched(reads=(tmp_path / "in",), writes=(tmp_path / "out",), parses=True):
        ast.parse((tmp_path / "in" / "a").read_text())
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "b").write_text("2")


def test_a_link_out_of_the_folder_is_seen(watched, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("1")
    (tmp_path / "in" / "a").symlink_to(tmp_path / "secret")
    with pytest.raises(AssertionError, match="to read"), watched(reads=(tmp_path / "in",)):
        (tmp_path / "in" / "a").read_text()


def test_other_threads_are_not_watched(watched) -> None:
    with watched():
        thread = threading.Thread(target=exec, args=(RUN,))
        thread.start()
        thread.join()
