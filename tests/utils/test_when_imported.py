from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mmdetpre.utils.when_imported import when_imported


def test_module_that_is_here_is_met_at_once() -> None:
    met: list[object] = []
    when_imported("json", met.append)
    assert met == [sys.modules["json"]]


def test_module_is_met_behind_its_own_code_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "comes_later.py").write_text("value = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    met = []
    before = list(sys.meta_path)
    when_imported("comes_later", lambda module: met.append(module.value))
    assert met == []
    import comes_later  # noqa: F401

    monkeypatch.delitem(sys.modules, "comes_later")
    import comes_later  # noqa: F401, F811

    assert met == [3]
    assert sys.meta_path == before


def test_module_that_does_not_exist_stays_unknown() -> None:
    when_imported("no_such_module_of_anybody", lambda module: pytest.fail("imported"))
    with pytest.raises(ModuleNotFoundError, match="no_such_module_of_anybody"):
        import no_such_module_of_anybody  # noqa: F401


@pytest.mark.parametrize("first", ["import mmdetpre", "import mmengine, mmdetpre", "from mmdetpre import registry"])
def test_hosts_are_met_in_any_order_and_torch_is_not_awaited(first: str) -> None:
    script = f"""
import sys
{first}
if {first!r} == "import mmdetpre":
    assert not {{"torch", "mmengine", "numpy", "numba", "cv2"}} & set(sys.modules)
    import mmdetpre.chips.mining
    assert not {{"torch", "mmengine", "mmcv"}} & set(sys.modules)
    import mmengine
import mmengine.runner  # where checkpoints are read; mmengine brings it by itself on some Pythons
assert {{"mmdetpre.registry", "mmdetpre.compat.host_versions", "mmdetpre.checkpoints.loaders"}} <= set(sys.modules)
import mmdetpre
assert mmdetpre.registry is sys.modules["mmdetpre.registry"]
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_host_that_is_known_to_break_is_told_when_mmengine_is_imported() -> None:
    script = """
import mmdetpre.compat.host_versions as hosts
hosts.installed_versions = lambda: {"torch": "2.11.0"}
try:
    import mmengine
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mmdetpre: mmengine is not installed, and mmdetpre needs it.")
