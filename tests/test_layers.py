"""Who may import whom: every import of one part by another goes down the floors, and none in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = [
    {"version", "config_files", "registry", "utils"},
    {"chips", "operators", "paper", "plotting"},
    {"checkpoints", "console", "sample", "storage", "zoo"},
    {"compat"},
    {"transfer"},
    {"models", "datasets"},
    {"backbones"},
    {"inference"},
    {"evaluation", "hooks"},
    {"analysis", "visualization"},
    {"results"},
    {"study"},
    {"cli"},
]
"""From the ground up. Parts of one floor do not import each other; ``mmdetpre/__init__.py`` stands outside."""
PLAIN = [
    *("chips", "chips.mining", "chips.kernel", "paper.tables", "plotting.palette", "utils.whole_file", "version"),
    *("transfer", "transfer.inspect_backbone", "transfer.verify_transfer", "transfer.families"),
]
"""What is imported without OpenMMLab."""
LIGHT = [
    "study.live_report",
    "study.cluster.carry",
    "study.cluster.job_messages",
    "study.runs.run",
    "utils.literal_config",
]
"""What every job of a study imports for itself, and must not wait for torch."""


@cache
def modules() -> dict[str, ast.Module]:
    """Module -> its source; a package's ``__init__`` bears the name of the package."""
    paths = [path for path in sorted((ROOT / "mmdetpre").rglob("*.py")) if ".mim" not in path.parts]
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths)
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in zip(names, paths, strict=True)}


def imported(tree: ast.AST, lazy: bool) -> Iterator[str]:
    """Modules of ours that a source imports; with ``lazy`` also in functions, never those for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in modules() else str(node.module) for name in names if node.module in modules())
        elif lazy or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from imported(node, lazy)


def part(module: str) -> str:
    """Part of the package that a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def test_every_part_has_a_floor() -> None:
    assert {part(module) for module in modules()} - {""} <= set().union(*FLOORS)


def test_imports_go_down() -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    upward = [
        f"{module} (floor {floor[part(module)]}) imports {other} (floor {floor[part(other)]})"
        for module, tree in modules().items()
        for other in imported(tree, lazy=True)
        if part(module) and part(other) and part(module) != part(other) and floor[part(other)] >= floor[part(module)]
    ]
    assert upward == []


@pytest.mark.parametrize("lazy", [False, True], ids=["at import", "at any time"])
def test_no_circles(lazy: bool) -> None:
    graph = {module: set(imported(tree, lazy)) - {module, "mmdetpre"} for module, tree in modules().items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"These import each other in a circle: {' -> '.join(reversed(error.args[1]))}")


def test_plain_parts_need_no_openmmlab() -> None:
    code = f"""
import sys
for host in ("mmengine", "mmcv", "mmdet", "mmseg", "mmpretrain"):
    sys.modules[host] = None
from importlib import import_module
for name in {LIGHT}:
    import_module("mmdetpre." + name)
assert not {{"torch", "scipy", "cv2"}} & set(sys.modules)
for name in {PLAIN}:
    import_module("mmdetpre." + name)
from mmdetpre.chips.scale import scale_factor
try:
    import_module("mmdetpre.registry")
except ModuleNotFoundError as error:
    print(str(error.name).split(".")[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout.strip()) == (0, "mmengine"), done.stderr
