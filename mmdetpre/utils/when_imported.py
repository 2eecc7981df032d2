"""What is to be done as soon as another package is imported, so that nobody waits for a package that is not needed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def when_imported(name: str, act: Callable[[ModuleType], Any]) -> None:
    """Call ``act(module)`` once: now if the module is imported, else right behind its own code when it is.

    Args:
        name: Dotted name of the module.
        act: Gets the module. What it raises ends that import.

    Example:
        >>> when_imported("sys", lambda module: print(module.__name__))
        sys
    """
    if (module := sys.modules.get(name)) is not None:
        act(module)
    else:
        sys.meta_path.insert(0, _Watch(name, act))


class _Watch(MetaPathFinder):
    def __init__(self, name: str, act: Callable[[ModuleType], Any]) -> None:
        self.name, self.act = name, act

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_act(module: ModuleType) -> None:
                execute(module)
                self.act(module)

            spec.loader.exec_module = execute_and_act  # type: ignore[method-assign]
        return spec
