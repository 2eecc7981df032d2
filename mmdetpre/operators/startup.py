"""Lets every Python of an environment find operators for an mmcv that was installed without its binary.

The toolboxes' own commands import ``mmcv.ops`` before they read a config that names this package. So a wheel, and
``make setup``, put a copy of this file into site-packages as ``mmdetpre_startup.py``, beside a ``.pth`` file that
imports it. A compiled binary, where there is one, is taken. Operators that cannot be loaded, compiled or not, are told
in one message with the way out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from typing import Any

BINARY = "mmcv._ext"
INSTALL_MMCV = (
    "Run `make setup` in a checkout of mmdetpre, or take the one that needs no compiler:\n"
    "    pip uninstall -y mmcv mmcv-lite\n"
    "    pip install mmcv-lite==2.1.0"
)


class OperatorsFinder:
    """Finds mmcv's binary where it is, else ``torchvision_ops.py`` under its name, without importing mmdetpre."""

    serves = BINARY

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Where the operators lie; None for every other module.

        Args:
            name: Full name of the module that is imported.
            path: Where its package lies.
            target: Handed on to the other finders.
        """
        if name != BINARY:
            return None
        finders = [finder for finder in sys.meta_path if finder is not cls]
        spec = next((found for f in finders if (found := f.find_spec(name, path, target))), None)
        explain = of_compiled
        if spec is None:
            import importlib.util  # every Python starts with this file: only one that needs operators pays for more

            package = importlib.util.find_spec("mmdetpre")
            if package is None or not package.submodule_search_locations:
                return None
            file = f"{package.submodule_search_locations[0]}/operators/torchvision_ops.py"
            spec, explain = importlib.util.spec_from_file_location(name, file), of_torchvision
        if spec is not None and spec.loader is not None:
            spec.loader = _TellingLoader(spec.loader, explain)  # type: ignore[assignment]
        return spec


class _TellingLoader:
    """A loader whose errors are explained."""

    def __init__(self, loader: Any, explain: Callable[[Exception], str | None]) -> None:
        self._loader, self._explain = loader, explain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._told(self._loader.create_module, spec)

    def exec_module(self, module: Any) -> None:
        self._told(self._loader.exec_module, module)

    def _told(self, work: Callable[[Any], Any], argument: Any) -> Any:
        try:
            return work(argument)
        except (ImportError, OSError, RuntimeError) as error:
            message = self._explain(error)
            if message is None:
                raise
        raise told_alone(ImportError(f"mmdetpre: {message}", name=BINARY))


def told_alone(refusal: ImportError) -> ImportError:
    """The error itself; if it, or one that arose from it, ends Python, its message is all that is printed."""
    before = sys.excepthook

    def tell(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        link: BaseException | None = error
        while link is not None and link is not refusal:
            link = link.__cause__ or link.__context__
        if link is None:
            before(kind, error, trace)
        else:
            print(f"{type(refusal).__name__}: {refusal}", file=sys.stderr, flush=True)

    sys.excepthook = tell
    return refusal


def of_compiled(error: Exception) -> str | None:
    """What to say where a compiled mmcv does not load; None where the error is of another package."""
    if isinstance(error, ModuleNotFoundError):
        return None  # of another package: its own message is right
    return f"The compiled operators of mmcv do not fit the installed torch {_version('torch')}: {error}. {INSTALL_MMCV}"


def of_torchvision(error: Exception) -> str | None:
    """What to say where torchvision's operators do not load; None where the error is of another package."""
    if isinstance(error, ModuleNotFoundError) and error.name != "torchvision":
        return None
    torch, torchvision = _version("torch"), _version("torchvision")
    why = "it is not installed" if isinstance(error, ModuleNotFoundError) else _why_no_kernels() or str(error)
    return (
        f"mmcv is installed without its binary (mmcv-lite), and the operators of torchvision {torchvision} that stand"
        f" in for it cannot be loaded beside torch {torch}: {why}. Install a pair that fits:\n"
        '    pip install --force-reinstall "torch>=2.11,<2.12" "torchvision>=0.26,<0.27"'
    )


def _why_no_kernels() -> str | None:
    """What the system says of torchvision's library; torchvision itself keeps it back."""
    import importlib.util

    package = importlib.util.find_spec("torchvision")
    for folder in (package and package.submodule_search_locations) or ():
        files = [name for name in os.listdir(folder) if name.startswith("_C.") and name.endswith((".so", ".pyd"))]
        if not files:
            return f"its library _C.so is not in {folder}"
        try:
            import torch

            torch.ops.load_library(os.path.join(folder, files[0]))
        except (ImportError, OSError) as error:
            return str(error.__cause__ or error)
    return None


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(not installed)"


sys.meta_path[:] = [OperatorsFinder, *(f for f in sys.meta_path if getattr(f, "serves", None) != BINARY)]
