from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from mmengine.registry import Registry

from mmdetpre import registry

PACKAGE = Path(registry.__file__).parent
REGISTRIES = {name: value for name, value in vars(registry).items() if isinstance(value, Registry)}
OWN = {name: value for name, value in REGISTRIES.items() if not name.startswith("ROOT_")}


@cache
def registered() -> list[tuple[str, str, str]]:
    """Registry, name in configs and module of every type, from the decorators in the sources."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body if ".mim" not in path.parts else ():
            for one in getattr(node, "decorator_list", ()):
                if isinstance(one, ast.Call) and getattr(one.func, "attr", "") == "register_module":
                    found.append((one.func.value.id, one.args[0].value if one.args else node.name, module))
    return found


def in_a_new_process(script: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", f"import sys\nimport mmdetpre\n{script}"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", OWN)
def test_registry_is_a_child_of_mmengines_root(name: str) -> None:
    assert OWN[name].scope == "mmdetpre"
    assert OWN[name].parent is REGISTRIES[f"ROOT_{name}"]
    assert OWN[name].parent.scope == "mmengine"


def test_every_registry_has_a_type_and_every_type_a_registry() -> None:
    assert {where for where, _, _ in registered()} == set(OWN)


@pytest.mark.parametrize(("where", "name", "module"), registered())
def test_registry_finds_its_types(where: str, name: str, module: str) -> None:
    found = OWN[where].get(name)
    assert found is not None and found.__module__ == module
    assert OWN[where].get(f"mmdetpre.{name}") is found


def test_registry_does_not_know_other_names() -> None:
    assert registry.MODELS.get("mmdetpre.Sniper") is None
    assert registry.DATASETS.get("packing") is None
    assert registry.MODELS.get("BaseDataPreprocessor").__module__.startswith("mmengine"), (
        "as from any child of the root"
    )


def test_types_resolve_by_scope_with_nothing_but_the_package_imported() -> None:
    """As in a config with ``custom_imports = dict(imports=["mmdetpre"])`` and any default scope."""
    in_a_new_process(f"""
from mmengine import registry as roots
from mmengine.registry import init_default_scope
init_default_scope("mmdet")
for where, name, module in {registered()!r}:
    found = getattr(roots, where).get("mmdetpre." + name)
    assert found is not None and found.__module__ == module, (where, name, found)
""")


def test_a_run_waits_for_the_types_it_names_only() -> None:
    in_a_new_process("""
from mmengine.registry import DATA_SAMPLERS, HOOKS, METRICS, MODELS

def loaded(*names):
    return [name for name in sys.modules if name.startswith(names)]

assert not loaded("mmdetpre.datasets", "mmdetpre.models", "mmdetpre.evaluation", "mmdetpre.hooks", "mmdetpre.transfer")
assert not loaded("mmdet.", "mmseg.", "mmpretrain.", "numba", "scipy", "sklearn", "pandas", "matplotlib")
HOOKS.get("mmdetpre.LoadBackboneHook"), HOOKS.get("mmdetpre.ExactResumeHook")
METRICS.get("mmdetpre.TrimapIoUMetric")
assert not loaded("mmdet.", "mmpretrain."), "hooks and metrics of segmentation do not wait for detectors"
before = set(loaded("mmdetpre."))
MODELS.get("mmdetpre.SNIPER"), DATA_SAMPLERS.get("mmdetpre.ChipMiningSampler")
assert not loaded("mmdetpre.models.rfcn3000_roi_head", "mmdetpre.datasets.voc.detection",
"mmdetpre.datasets.classification.caltech256")
assert not loaded("mmseg.datasets", "mmpretrain.datasets"), "detectors do not wait for other toolboxes"
assert not loaded("numba"), "numba is for the first call of a compiled function"
""")


def test_hosts_build_our_types_by_scope() -> None:
    from mmdet.registry import HOOKS

    hook = HOOKS.build(dict(type="mmdetpre.ExactResumeHook"))
    assert type(hook).__module__ == "mmdetpre.hooks.exact_resume_hook"
