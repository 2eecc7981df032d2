from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
from mmengine.registry import Registry

from mmdetpre import registry

REGISTRIES = {name: value for name, value in vars(registry).items() if isinstance(value, Registry)}
OWN = {name: value for name, value in REGISTRIES.items() if not name.startswith("ROOT_")}


def on_demand(name: str) -> dict[str, str]:
    return getattr(OWN[name], "on_demand", {})


@pytest.mark.parametrize("name", OWN)
def test_registry_is_a_child_of_mmengines_root(name: str) -> None:
    assert OWN[name].scope == "mmdetpre"
    assert OWN[name].parent is REGISTRIES[f"ROOT_{name}"]
    assert OWN[name].parent.scope == "mmengine"


@pytest.mark.parametrize("name", OWN)
def test_every_location_imports_and_registers(name: str) -> None:
    for location in OWN[name]._locations:
        import_module(location)
    for type_name, module in on_demand(name).items():
        assert OWN[name].get(type_name).__module__ == module
    modules = OWN[name].module_dict
    assert modules, f"nothing is registered in {name}"
    for module in modules.values():
        assert any(module.__module__.startswith(location) for location in OWN[name]._locations)


def test_types_resolve_by_scope_with_nothing_but_the_package_imported() -> None:
    """As in a config with ``custom_imports = dict(imports=["mmdetpre"])`` and any default scope."""
    types = {}
    later = [type_name for name in OWN for type_name in on_demand(name)]
    for name, own in OWN.items():
        own.import_from_location()
        types[name] = sorted({*own.module_dict, *on_demand(name)})
    script = f"""
import sys
import mmdetpre
from mmengine import registry as roots
from mmengine.registry import init_default_scope
assert not any(name.startswith("mmdetpre.datasets") for name in sys.modules), "registered modules are imported lazily"
init_default_scope("mmdet")
for name, types in {types!r}.items():
    getattr(roots, name).get("mmdetpre." + next(type_name for type_name in types if type_name not in {later!r}))
assert not {{"mmseg.datasets", "mmpretrain.datasets"}} & set(sys.modules), "no detector waits for other toolboxes"
for name, types in {types!r}.items():
    for type_name in types:
        found = getattr(roots, name).get("mmdetpre." + type_name)
        assert found is not None and found.__module__.startswith("mmdetpre."), (name, type_name, found)
"""
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_hosts_build_our_types_by_scope() -> None:
    from mmdet.registry import HOOKS

    hook = HOOKS.build(dict(type="mmdetpre.ExactResumeHook"))
    assert type(hook).__module__ == "mmdetpre.hooks.exact_resume_hook"
