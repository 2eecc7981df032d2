"""The reference holds every name that configs and packages offer, and pages name nothing that does not exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mmdetpre"
PAGES = ROOT / "docs" / "api"
PACKAGES = ["datasets", "evaluation", "hooks", "models", "transfer"]


@cache
def registered() -> dict[str, str]:
    """Name in configs -> ``module.Class``, from the decorators in the sources."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if ".mim" in path.parts:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for one in getattr(node, "decorator_list", ()):
                if isinstance(one, ast.Call) and getattr(one.func, "attr", "") == "register_module":
                    name = one.args[0].value if one.args else node.name
                    found[name] = f"{module}.{node.name}"
    return found


def documented(*pages: Path) -> set[str]:
    """Targets of the autodoc directives."""
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    return set(re.findall(r"\.\. auto(?:class|function|module):: (\S+)", text))


def test_every_registered_name_is_on_the_page_of_names() -> None:
    names = registered()
    assert len(names) > 30
    assert set(names.values()) == documented(PAGES / "names_in_configs.md")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_that_a_package_offers_is_documented(package: str) -> None:
    known = documented(*PAGES.glob("*.md"))
    tree = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if str(node.module).startswith(f"mmdetpre.{package}.")]
    offered = {(node.module, alias.name) for node in ours for alias in node.names}
    missing = {name for module, name in offered if module not in known and f"{module}.{name}" not in known}
    assert offered and missing == set()


def test_types_in_the_pages_exist(page: Path) -> None:
    """``mmdetpre.Name`` is registered or an attribute of the package, ``mmdetpre.a.b`` is a module or a name in one."""
    known = {
        *registered(),
        "MultiScaleDetector",
        "MXNetDeformConv",
        "TarShards",
        "Remote",
    }  # the last: of mmengine's backends
    wrong = []
    for name in set(re.findall(r"(?<!-)\bmmdetpre((?:\.\w+)+)", page.read_text(encoding="utf-8"))):
        parts = name[1:].split(".")
        if len(parts) > 2 and parts[-2][0].isupper():  # a method
            parts.pop()
        path = PACKAGE.joinpath(*parts)
        inside = path.parent.with_suffix(".py") if len(parts) > 1 else None
        package = path.parent / "__init__.py"
        exists = (
            (len(parts) == 1 and parts[0] in known)
            or path.is_dir()
            or path.with_suffix(".py").exists()
            or (inside is not None and inside.exists() and re.search(rf"\b{parts[-1]}\b", inside.read_text()))
            or (len(parts) > 1 and package.exists() and re.search(rf"\b{parts[-1]}\b", package.read_text()))
        )
        if not exists:
            wrong.append(name)
    assert wrong == []
