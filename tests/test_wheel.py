"""The package as an installer gets it: what wheel and source distribution carry, and what works outside a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdetpre.compat.warm_start import ADDRESS
from mmdetpre.version import __version__

Shell = Callable[..., str]
pytestmark = pytest.mark.slow

LOOK_UP = """
import importlib, sys
from mmengine.config import Config
train = importlib.import_module("mim.commands.train")  # the package has the function of this name in its place
calls = []
train.subprocess.check_output = lambda command: b""
train.subprocess.check_call = lambda command, env: calls.append(command) or 0
assert train.train("mmdet", sys.argv[1], gpus=0)[0]
[command] = calls
assert command[1].endswith("mmdet/.mim/tools/train.py") and command[2] == sys.argv[1], command
print(Config.fromfile(command[2]).model.type)
"""


@pytest.fixture(scope="module")
def dist(repository: Path, tracked_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the source distribution and the wheel that is built from it, as where there is no wheel."""
    source = tmp_path_factory.mktemp("source")
    for path in tracked_files:
        target = source / path.relative_to(repository)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def shell(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Function that runs a command of an environment with the wheel in it, in an empty folder, and gives its output.

    Nothing of ours is in the environment but the wheel; what it requires is taken from the environment of the tests.
    """
    place = tmp_path_factory.mktemp("elsewhere")
    environment = place / "env"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(next(dist.glob("*.whl")))], check=True)
    [site] = environment.glob("lib/*/site-packages")
    (site / "what_it_requires.pth").write_text(sysconfig.get_path("purelib"))
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", ADDRESS)}
    work = place / "work"
    work.mkdir()

    def run(name: str, *arguments: object) -> str:
        command = [str(python.with_name(name)), *map(str, arguments)]
        done = subprocess.run(command, cwd=work, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        return done.stdout

    return run


def test_wheel_and_sdist_carry_configs_and_tools(repository: Path, tracked_files: list[Path], dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        startup = wheel.read("mmdetpre_startup.py").decode(), wheel.read("mmdetpre_startup.pth").decode()
    assert startup == ((repository / "mmdetpre/operators/startup.py").read_text(), "import mmdetpre_startup\n")
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        packed = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert "mmdetpre/py.typed" in names
    for name in (path.relative_to(repository).as_posix() for path in tracked_files):
        if name.startswith(("configs/", "tools/")) or name == "model-index.yml":
            assert name in packed
            assert (f"mmdetpre/.mim/{name}" in names) != name.startswith("tools/dev/"), name
        if name.startswith("mmdetpre/"):  # templates of the report too
            assert name in names and name in packed
    assert not any(name.startswith(("tests/", "configs/", "tools/", "benchmarks/")) for name in names)


def test_installed_package_works_outside_a_checkout(shell: Shell, tiny_coco: Path, repository: Path) -> None:
    assert shell("mmdetpre", "--version") == f"{__version__}\n"
    config = Path(shell("mmdetpre", "config", "sniper_openimages_sample").strip())
    assert "site-packages" in config.parts and repository not in config.parents
    work = Path(shell("python", "-c", "import os; print(os.getcwd())").strip())

    shell("python", "-m", "mim", "run", "mmdetpre", "make_sample", "--train", 1, "--val", 1)
    assert len(list((work / "data/sample/OpenImages/validation").glob("*.jpg"))) == 1

    boxes = next(tiny_coco.rglob("instances_train*.json"))
    given = ["--det", boxes, "--det-images", tiny_coco / "train2017", "--model", "sample", "--no-timing"]
    shell("mmdetpre", "study", "init", *given, "--out", "my_study")
    assert shell("mmdetpre", "study", "plan", "my_study/study.yaml").endswith(" runs\n")

    assert shell("python", "-c", LOOK_UP, config).splitlines()[-1] == "mmdetpre.SNIPER"
