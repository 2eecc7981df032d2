"""Operators that cannot be loaded are told in one message: what was found, and the lines that repair it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mmdetpre.operators import startup

TRAIN = """
import runpy, sys
runpy.run_path(sys.argv[1])  # as the .pth file does
import mmcv
from mmengine import Config
if sys.argv[2] == "none compiled":
    from importlib.machinery import PathFinder
    find = PathFinder.find_spec
    PathFinder.find_spec = lambda name, *more: None if name == "mmcv._ext" else find(name, *more)
else:
    mmcv.__path__.insert(0, sys.argv[2])
Config.fromfile("configs/det/sniper_openimages.py")  # imports mmdetpre, and wraps the errors of that
"""


def run_with(path: Path, repository: Path, compiled: object) -> str:
    """What a training's process says that finds other packages in ``path`` first."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(repository)])}
    command = [sys.executable, "-c", TRAIN, startup.__file__, str(compiled)]
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("library", "why"), [(None, "its library _C.so is not in"), (b"\x7fELF of another torch", "_C.so: file too short")]
)
def test_torchvision_without_kernels_that_fit(
    library: bytes | None, why: str, repository: Path, tmp_path: Path
) -> None:
    spec = find_spec("torchvision")
    assert spec is not None and spec.submodule_search_locations
    package = tmp_path / "torchvision"
    package.mkdir()
    for file in Path(spec.submodule_search_locations[0]).iterdir():
        if not file.name.startswith(("_C", "__pycache__")):
            (package / file.name).symlink_to(file)
    if library is not None:
        (package / "_C.so").write_bytes(library)
    told = run_with(tmp_path, repository, "none compiled")
    assert "HostError: mmdetpre: " in told
    assert why in told
    assert "the operators of torchvision 0." in told and "beside torch 2." in told
    assert told.endswith('pip install --force-reinstall "torch>=2.11,<2.12" "torchvision>=0.26,<0.27"\n')


def test_a_mmcv_that_was_compiled_for_another_torch(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "_ext.so").write_bytes(b"\x7fELF of another torch")
    told = run_with(tmp_path, repository, tmp_path)
    assert "The compiled operators of mmcv do not fit the installed torch 2." in told
    assert "_ext.so: file too short" in told
    assert told.endswith("pip install mmcv-lite==2.1.0\n")


def test_torchvision_that_is_not_there_is_named() -> None:
    error = ModuleNotFoundError("No module named 'torchvision'", name="torchvision")
    message = startup.of_torchvision(error)
    assert message is not None and "it is not installed" in message
    assert startup.of_torchvision(ModuleNotFoundError("No module named 'numba'", name="numba")) is None
    assert startup.of_compiled(ModuleNotFoundError("No module named 'cv2'", name="cv2")) is None


def test_only_errors_that_arose_from_the_refusal_lose_their_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: before.append(error))
    refusal = startup.told_alone(ImportError("take this"))
    other = KeyError("a")
    sys.excepthook(KeyError, other, None)
    assert before == [other]
    wrapped = ImportError("Failed to import custom modules")
    wrapped.__context__ = refusal
    sys.excepthook(ImportError, wrapped, None)
    assert before == [other]
    assert capsys.readouterr().err == "ImportError: take this\n"
