"""The host libraries under the names of their distributions: OpenMMLab's, and those of its maintained fork, OneDL.

Both bring the same modules (``mmdet``, ``mmengine`` ...) under other names and numbers. Whoever needs a version, or the
name by which ``mim`` knows a toolbox, asks here by OpenMMLab's name of it.
"""

from __future__ import annotations

import importlib.util
import re
from importlib import metadata
from pathlib import Path

TESTED = {
    "torch": ">=2.11,<2.12",
    "torchvision": ">=0.26,<0.27",
    "mmengine": ">=0.10.7,<0.12",
    "mmcv": ">=2.1.0,<2.2.0",
    "mmdet": ">=3.3.0,<3.4",
    "mmsegmentation": ">=1.2.2,<1.3",
    "mmpretrain": ">=1.2.0,<1.3",
    "numpy": ">=1.26",
}
"""Distribution name -> the range that the tests run on; the same ranges stand in requirements/runtime.txt."""

TESTED_FORK = {
    "onedl-mmengine": ">=0.10.12,<0.11",
    "onedl-mmcv": ">=2.3.6,<2.4",
    "onedl-mmdetection": ">=3.5.1,<3.6",
    "onedl-mmsegmentation": ">=1.4.2,<1.5",
    "onedl-mmpretrain": ">=1.3.6,<1.4",
}
"""The same of the fork; requirements/onedl.txt pins them, and ``make test-onedl`` runs the suite on them."""

FORK_OF = {
    "mmengine": "onedl-mmengine",
    "mmcv": "onedl-mmcv",
    "mmdet": "onedl-mmdetection",
    "mmsegmentation": "onedl-mmsegmentation",
    "mmpretrain": "onedl-mmpretrain",
}
"""OpenMMLab's name of a distribution -> the fork's."""

ALSO_AS = {"mmcv": ("mmcv-lite",)}
"""Other distributions of OpenMMLab that bring the same module."""

MODULES = {"mmsegmentation": "mmseg"}
"""The module of a distribution, where it has another name."""


def distributions(package: str) -> dict[str, str]:
    """Versions of all installed distributions that bring one host library, by their names.

    Args:
        package: OpenMMLab's name of it: a key of `TESTED`.

    Returns:
        Usually one entry. A source tree on ``PYTHONPATH`` has no distribution: its version is read from its
        ``version.py``, without importing it, and stands under OpenMMLab's name.

    Example:
        >>> list(distributions("numpy"))
        ['numpy']
    """
    return _installed(package) or _of_source(package)


def installed_versions() -> dict[str, str]:
    """Versions of the host libraries that are installed.

    Returns:
        By OpenMMLab's name of the distribution (``mmcv`` for mmcv-lite too, unless both are there and differ), or by
        the fork's. Of two distributions that bring the same module both are named.

    Example:
        >>> sorted(set(installed_versions()) & {"numpy", "torch"})
        ['numpy', 'torch']
    """
    versions: dict[str, str] = {}
    for package in TESTED:
        for name, version in distributions(package).items():
            if name in ALSO_AS.get(package, ()) and versions.setdefault(package, version) == version:
                continue
            versions[name] = version
    return versions


def distribution_name(package: str) -> str | None:
    """Under which name a host library is installed: ``mmdet`` or ``onedl-mmdetection``.

    Args:
        package: OpenMMLab's name of it.

    Returns:
        ``None`` where it is not installed, or a source tree on ``PYTHONPATH``.

    Example:
        >>> distribution_name("numpy")
        'numpy'
    """
    return next(iter(_installed(package)), None)


def module_folder(package: str) -> Path | None:
    """Folder of a host library's module, which is not imported; ``None`` if there is none.

    Example:
        >>> module_folder("numpy").name
        'numpy'
    """
    spec = importlib.util.find_spec(MODULES.get(package, package))
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _installed(package: str) -> dict[str, str]:
    names = (package, *ALSO_AS.get(package, ()), *filter(None, (FORK_OF.get(package),)))
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _of_source(package: str) -> dict[str, str]:
    folder = module_folder(package)
    file = folder / "version.py" if folder is not None else None
    if file is None or not file.is_file():
        return {}
    found = re.search(r"^__version__\s*=\s*['\"]([\w.+!-]+)['\"]", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {package: found[1]} if found else {}
