"""Lets every Python of an environment find operators for an mmcv that was installed without its binary.

The toolboxes' own commands import ``mmcv.ops`` before they read a config that names this package. So a wheel, and
``make setup``, put a copy of this file into site-packages as ``mmdetpre_startup.py``, beside a ``.pth`` file that
imports it. The finder is asked last: a compiled binary, where there is one, has been found by then.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

BINARY = "mmcv._ext"


class StandInFinder:
    """Finds ``torchvision_ops.py`` under the name of mmcv's binary, without importing mmdetpre."""

    serves = BINARY

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Where the stand-in of mmcv's compiled operators lies; None for every other module.

        Args:
            name: Full name of the module that is imported.
            path: Not used.
            target: Not used.
        """
        if name != BINARY:
            return None
        import importlib.util  # every Python starts with this file: only one that needs operators pays for more

        package = importlib.util.find_spec("mmdetpre")
        if package is None or not package.submodule_search_locations:
            return None
        file = f"{package.submodule_search_locations[0]}/operators/torchvision_ops.py"
        return importlib.util.spec_from_file_location(name, file)


if not any(getattr(finder, "serves", None) == BINARY for finder in sys.meta_path):
    sys.meta_path.append(StandInFinder)
