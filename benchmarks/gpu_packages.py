"""Fetches what a GPU machine without network lacks: wheels of the locked versions, and mmcv's source to build there.

    python benchmarks/gpu_packages.py                        # all but torch, torchvision and NumPy
    python benchmarks/gpu_packages.py --have pip_list.txt    # all but what `pip list --format=freeze` printed there

The packages are those that the tests of the detectors and ``gpu.py`` import, directly or not, as this environment
declares them; OpenCV is the one without windows. Says how large each file is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
THERE = ("torch", "torchvision", "numpy")
ROOTS = ("mmcv", "mmdet", "mmsegmentation", "mmpretrain", "numba", "pycocotools", "scikit-learn", "scipy", "pandas",
         "threadpoolctl", "safetensors", "regex", "ftfy", "tqdm", "filelock", "pytest", "pytest-xdist", "hypothesis",
         "setuptools", "wheel", "ninja")  # fmt: skip
REPLACED = {"opencv-python": "opencv-python-headless"}
HERE_AS = {"mmcv": "mmcv-lite"}
"""What stands here for a package that is compiled there; both require the same."""
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(39, 16, -1)] + ["manylinux2014_x86_64"]


def needed(roots: Iterable[str], there: Iterable[str]) -> list[str]:
    """Names of packages and of all that they require, as installed here, without those that are there and theirs."""
    todo, seen = list(roots), set(map(canonicalize_name, there))
    found = []
    while todo:
        name = canonicalize_name(todo.pop())
        if name in seen:
            continue
        seen.add(name)
        found.append(name)
        lines = map(Requirement, _requires(name))
        todo += [line.name for line in lines if not line.marker or line.marker.evaluate({"extra": ""})]
    return sorted(found)


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return requires(HERE_AS.get(name, name)) or []


def locked(lock: str, python: str) -> dict[str, str]:
    """Versions by name that a lock file pins for a Python (``"3.12"``) on Linux."""
    target = dict(python_version=python, python_full_version=f"{python}.0", sys_platform="linux",
                  platform_machine="x86_64", platform_system="Linux", os_name="posix", extra="",
                  implementation_name="cpython", platform_python_implementation="CPython")  # fmt: skip
    lines = (line.removesuffix("\\") for line in lock.splitlines() if line and line[0] not in " #")
    pins = [pin for pin in map(Requirement, lines) if not pin.marker or pin.marker.evaluate(target)]
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins}


def download(names: list[str], versions: dict[str, str], python: str, folder: Path) -> None:
    """Wheels for a Linux machine with that Python, and mmcv's source distribution."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    # OpenCV is pinned as the one with windows; both are released together.
    pins = [f"{REPLACED.get(name, name)}=={versions[name]}" for name in names if name != "mmcv"]
    foreign = ["--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
    subprocess.run([*pip, *foreign, *(f"--platform={name}" for name in PLATFORMS), *pins], check=True)
    if "mmcv" in names:
        subprocess.run([*pip, "--no-binary=mmcv", "--no-build-isolation", "mmcv==2.1.0"], check=True)


def outdated(folder: Path, names: list[str], versions: dict[str, str]) -> list[Path]:
    """Wheels of packages or versions that are not asked for: two versions of one package would stop an installation."""
    wanted = {(canonicalize_name(REPLACED.get(name, name)), versions.get(name)) for name in names}
    wheels = {
        path: parse_wheel_filename(path.name) for path in folder.glob("*.whl") if not path.name.startswith("mmcv-")
    }
    return [path for path, (name, version, *_) in wheels.items() if (name, str(version)) not in wanted]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--have", type=Path, help="names of packages that are there, one a line (name or name==version)"
    )
    parser.add_argument("--python", default="3.12", help="of the GPU machine (%(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "gpu_wheels", help="folder (%(default)s)")
    args = parser.parse_args()
    there = list(THERE)
    if args.have:
        lines = (line.split("#")[0].strip() for line in args.have.read_text().splitlines())
        there += [line.split("==")[0].split(" ")[0] for line in lines if line]
        there += [name for name, other in REPLACED.items() if other in there]
        # mmcv's build imports pkg_resources, which newer ones lack: the locked one is always carried.
        there = [name for name in there if canonicalize_name(name) not in ("setuptools", "mmcv")]
    names = needed(ROOTS, there)
    versions = locked((ROOT / "requirements" / "lock.txt").read_text(), args.python)
    args.out.mkdir(parents=True, exist_ok=True)
    for path in outdated(args.out, names, versions):
        path.unlink()
    download(names, versions, args.python, args.out)
    files = sorted(args.out.iterdir(), key=lambda path: -path.stat().st_size)
    for path in files:
        print(f"{path.stat().st_size / 2**20:8.2f} MiB  {path.name}")
    print(f"{sum(path.stat().st_size for path in files) / 2**20:8.2f} MiB in {len(files)} files: {args.out}")


if __name__ == "__main__":
    main()
