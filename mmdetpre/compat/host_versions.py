"""The versions of the host libraries: which were tested, which are known to break, and how to repair them."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mmdetpre.compat.host_packages import ALSO_AS, FORK_OF, TESTED, TESTED_FORK, installed_versions
from mmdetpre.operators.startup import BINARY, INSTALL_MMCV, told_alone

REQUIRED = ("torch", "mmengine", "mmcv", "mmdet", "numpy")
"""Host libraries without which nothing of mmdetpre works."""

USE_GPU_OR_HIDE_IT = (
    "torch sees a GPU, but the operators that are installed are built for the CPU only: training and inference on the"
    " GPU will stop at the first nms or RoIAlign. Take the operators of torchvision (pip uninstall -y mmcv; pip install"
    " mmcv-lite==2.1.0), or compile mmcv with the CUDA that torch was built with; or hide the GPU and compute on the"
    ' CPU: export CUDA_VISIBLE_DEVICES=""'
)


class HostError(ImportError):
    """The installed set is known not to work; the message ends with the commands that repair it."""


class HostVersionWarning(UserWarning):
    """A host library is outside the range that mmdetpre is tested with, or compiled for less than this machine has."""


def known_breakage(versions: Mapping[str, str]) -> str | None:
    """What makes this set of versions unusable and how to repair it, or ``None``.

    Args:
        versions: Version by distribution name; absent names are not installed.

    Example:
        >>> print(known_breakage({"torch": "2.11.0", "mmengine": "0.10.7", "mmdet": "3.3.0", "numpy": "2.2.0"}))
        ... # doctest: +ELLIPSIS
        mmcv is not installed...
    """
    of_fork = 2 * sum(fork in versions for fork in FORK_OF.values()) > len(FORK_OF)
    for name, fork in FORK_OF.items():
        twice = [f"{other} {versions[other]}" for other in (name, *ALSO_AS.get(name, ()), fork) if other in versions]
        if len(twice) > 1:
            return (
                f"{' and '.join(twice)} are both installed. They write the same files, so what is there is a mixture."
                f" Run `pip uninstall -y {' '.join(other.split()[0] for other in twice)}`, then"
                f" {_install(name, of_fork)}."
            )
    for name in REQUIRED:
        if name not in versions and FORK_OF.get(name) not in versions:
            fix = INSTALL_MMCV if name == "mmcv" and not of_fork else f"Run {_install(name, of_fork)}."
            return f"{FORK_OF.get(name, name) if of_fork else name} is not installed, and mmdetpre needs it. {fix}"
    found = {name: Version(version) for name, version in versions.items()}
    mmcv = found.get("mmcv", found.get("onedl-mmcv", Version("0")))
    if "mmdet" in found and not Version("2.0.0rc4") <= mmcv < Version("2.2.0"):
        return f"mmdet 3.3 refuses mmcv {mmcv}: it needs mmcv>=2.0.0rc4,<2.2.0. {INSTALL_MMCV}"
    if found.get("mmdet", Version("3")) < Version("3.0.0"):
        return f'mmdet {found["mmdet"]} has no mmengine runner. Run `pip install "mmdet{TESTED["mmdet"]}"`.'
    if found["numpy"] >= Version("2") and found["torch"] < Version("2.3"):
        return (
            f"torch {found['torch']} was compiled for NumPy 1 and cannot exchange arrays with NumPy {found['numpy']}."
            f' Run `pip install "torch{TESTED["torch"]}"`, or `pip install "numpy<2"`.'
        )
    return None


def untested_versions(versions: Mapping[str, str]) -> list[str]:
    """One line for every host library that is missing or outside its tested range, and one for a mixed set."""
    lines = []
    for name, tested in TESTED.items():
        fork = FORK_OF.get(name, "")
        known = {name: tested, fork: TESTED_FORK.get(fork, "")}
        installed = next((choice for choice in known if choice in versions), "")
        if not installed:
            lines.append(f"{name} is not installed (tested: {tested})")
        elif not SpecifierSet(known[installed]).contains(versions[installed], prereleases=True):
            lines.append(f"{installed} {versions[installed]} (tested: {known[installed]})")
    ours, forks = (sorted(set(names) & set(versions)) for names in (FORK_OF, TESTED_FORK))
    if ours and forks:
        lines.append(f"{', '.join(ours)} of OpenMMLab with {', '.join(forks)} of its fork (tested: all of one of them)")
    return lines


def _install(name: str, of_fork: bool) -> str:
    """The command that installs a host library, by OpenMMLab's name, in the fork's form if that is what is there."""
    tested = {**TESTED, **TESTED_FORK}
    name = FORK_OF.get(name, name) if of_fork else {"mmcv": "mmcv-lite"}.get(name, name)
    return f'`pip install "{name}{tested.get(name, TESTED["mmcv"])}"`'


def broken_operators(import_module: Callable[[str], object] = importlib.import_module) -> str | None:
    """Why the operators of mmcv cannot be loaded and how to repair them, or ``None``."""
    try:
        import_module("torch")  # its libraries must be in the process before those that link to them
        import_module(BINARY)
    except ImportError as error:
        if error.name != BINARY:
            raise  # of another package: its own message is right
        return str(error).removeprefix("mmdetpre: ")
    return None


def operators_lack_cuda() -> bool:
    """Whether there is a GPU that torch uses and the compiled operators of mmcv cannot.

    mmengine moves every model to the GPU that torch sees; there ``nms`` and ``RoIAlign`` that were compiled for the CPU
    raise. False where no GPU is seen, whatever they were compiled for.
    """
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        return False
    return importlib.import_module(BINARY).get_compiling_cuda_version() == "not available"


def check_host_versions() -> None:
    """Warn about untested host versions, fail on known breakage. Called once, where mmengine meets this package.

    Where mmcv has no compiled operators, those of torchvision stand in for them.

    Also warns if mmcv's operators cannot use the GPU (:func:`operators_lack_cuda`).

    Raises:
        HostError: If the installed set is known not to work; the message ends with the commands that repair it.
    """
    versions = installed_versions()
    breakage = known_breakage(versions) or broken_operators()
    if breakage:
        raise told_alone(HostError(f"mmdetpre: {breakage}"))
    lines = untested_versions(versions)
    if lines:
        message = (
            f"mmdetpre is not tested with: {'; '.join(lines)}. If something fails, install the tested versions first."
        )
        warnings.warn(message, HostVersionWarning, stacklevel=3)
    if operators_lack_cuda():
        warnings.warn(f"mmdetpre: {USE_GPU_OR_HIDE_IT}", HostVersionWarning, stacklevel=3)
