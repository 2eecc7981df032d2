"""On kernels of a module of the test's own, so that nothing has called them before."""

from __future__ import annotations

import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import ModuleType

import pytest

from mmdetpre.utils.numba_jit import compiled

KERNELS = '''
from mmdetpre.utils.numba_jit import compiled

@compiled
def square(x):
    """x times x."""
    return x * x

@compiled
def sum_of_squares(n):
    total = 0
    for i in range(n):
        total += square(i)
    return total

def plain(n):
    return sum_of_squares(n)
'''


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = tmp_path / "kernels.py"
    path.write_text(KERNELS)
    spec = importlib.util.spec_from_file_location("kernels", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "kernels", module)
    spec.loader.exec_module(module)
    return module


def test_functions_are_compiled_together_at_the_first_call(kernels: ModuleType) -> None:
    imported_before = kernels.sum_of_squares
    assert kernels.square.__name__ == "square" and kernels.square.__doc__ == "x times x."
    assert kernels.plain(4) == imported_before(4) == 14
    assert "numba" in type(kernels.sum_of_squares).__module__ and kernels.sum_of_squares.nopython_signatures
    assert "numba" in type(kernels.square).__module__
    assert kernels.square(3) == 9


def test_a_function_inside_a_function() -> None:
    @compiled
    def twice(x):
        return 2 * x

    assert twice(21) == twice(21.0) == 42


def test_first_calls_of_several_threads(kernels: ModuleType) -> None:
    start = Barrier(4)
    imported_before = kernels.sum_of_squares

    def call(n: int) -> int:
        start.wait()
        return imported_before(n)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call, range(4))) == [0, 0, 1, 5]
    assert len(kernels.sum_of_squares.nopython_signatures) == 1
    assert imported_before(4) == 14
