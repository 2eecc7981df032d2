"""Names that a package offers and imports when they are first asked for."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def on_demand(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package that imports its names when they are first asked for.

    The names are those that its ``__init__`` imports for type checkers, under ``if TYPE_CHECKING:``. None of them may
    be the name of a module of the package, for Python binds imported modules to the same place; unless it is that
    module itself that is offered, ``from package import module``.

    Args:
        package: ``__name__`` of the package.

    Example:
        ``mmdetpre/hooks/__init__.py`` begins with::

            if TYPE_CHECKING:
                from mmdetpre.hooks.exact_resume_hook import ExactResumeHook
            __getattr__, __dir__ = on_demand(__name__)
    """
    module = sys.modules[package]
    modules = _type_checking_imports(module.__spec__.loader.get_source(package))  # type: ignore[union-attr]

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        source, original = modules[name]
        value = (
            import_module(f"{package}.{original}") if source == package else getattr(import_module(source), original)
        )
        setattr(module, name, value)
        return value

    return get, lambda: sorted({*vars(module), *modules})


def _type_checking_imports(source: str) -> dict[str, tuple[str, str]]:
    """Name -> (module, name in the module) of what stands under ``if TYPE_CHECKING:``."""
    blocks = (node.body for node in ast.parse(source).body if isinstance(node, ast.If))
    imports = (node for block in blocks for node in block if isinstance(node, ast.ImportFrom))
    return {alias.asname or alias.name: (str(node.module), alias.name) for node in imports for alias in node.names}
