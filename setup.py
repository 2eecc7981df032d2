"""Puts configs, tools and the model index where ``mim`` looks for them, ``mmdetpre/.mim``, and the start-up beside it.

Everything else about the package stands in setup.cfg. A wheel carries copies; an editable install gets links, so that
edits show at once.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_CONTENT = ("configs", "tools", "model-index.yml")
FOR_CHECKOUTS_ONLY = Path("tools", "dev")
STARTUP = "mmdetpre_startup"
"""Module and ``.pth`` file beside the package, from mmdetpre/operators/startup.py, which says why."""


class BuildWithMim(build_py):
    """``build_py`` that adds ``mmdetpre/.mim``."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            self._link(ROOT / "mmdetpre" / ".mim")
        else:
            for source, target in self._copies().items():
                self.mkpath(os.path.dirname(target))
                self.copy_file(source, target)
            self._pth_file().write_text(f"import {STARTUP}\n")

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        extra = [] if self.editable_mode else [*self._copies().values(), str(self._pth_file())]
        return super().get_outputs(include_bytecode) + extra

    def get_output_mapping(self) -> dict[str, str]:
        mapping = super().get_output_mapping()
        if not self.editable_mode:
            mapping.update({target: source for source, target in self._copies().items()})
        return mapping

    def _copies(self) -> dict[str, str]:
        """Source file -> file in the build directory."""
        files: list[Path] = []
        for name in MIM_CONTENT:
            path = ROOT / name
            if not path.exists():
                raise FileNotFoundError(
                    f"{path} is missing: build from a full checkout or from the source distribution."
                )
            files += [path] if path.is_file() else [f for f in sorted(path.rglob("*")) if f.is_file()]
        target = Path(self.build_lib) / "mmdetpre" / ".mim"
        copies = {
            str(file.relative_to(ROOT)): str(target / file.relative_to(ROOT))
            for file in files
            if "__pycache__" not in file.parts and FOR_CHECKOUTS_ONLY not in file.relative_to(ROOT).parents
        }
        startup = str(Path("mmdetpre", "operators", "startup.py"))
        return copies | {startup: str(Path(self.build_lib) / f"{STARTUP}.py")}

    def _pth_file(self) -> Path:
        return Path(self.build_lib) / f"{STARTUP}.pth"

    @staticmethod
    def _link(target: Path) -> None:
        if target.is_symlink() or target.is_file():
            target.unlink()
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for name in MIM_CONTENT:
            (target / name).symlink_to(Path("..", "..", name))


setup(cmdclass={"build_py": BuildWithMim})
