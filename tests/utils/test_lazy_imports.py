from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import mmdetpre

PACKAGES = [
    *("mmdetpre", "mmdetpre.datasets", "mmdetpre.datasets.transforms"),
    *("mmdetpre.evaluation", "mmdetpre.hooks", "mmdetpre.models"),
]


@pytest.mark.parametrize("name", PACKAGES)
def test_package_offers_its_names(name: str) -> None:
    package = import_module(name)
    assert package.__all__
    for offered in package.__all__:
        value = getattr(package, offered)
        assert vars(package)[offered] is value, "found once, it is an ordinary attribute"
        assert offered in dir(package)
    assert {"__all__", "__name__"} < set(dir(package))


@pytest.mark.parametrize("name", PACKAGES)
def test_no_offered_name_is_a_module(name: str) -> None:
    """Importing the module would put it in the place of the name."""
    package = import_module(name)
    modules = {path.stem for path in Path(package.__file__).parent.iterdir()} - {"registry"}
    assert modules & set(package.__all__) == set()


def test_unknown_names_are_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'mmdetpre.models' has no attribute 'Sniper'"):
        import_module("mmdetpre.models").Sniper  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Sniper' from 'mmdetpre.models'"):
        from mmdetpre.models import Sniper  # noqa: F401


def test_modules_names_and_everything_can_be_imported_from_a_new_package() -> None:
    script = """
import sys
import mmdetpre.models
assert not {"torch", "mmdet", "mmdetpre.models.sniper"} & set(sys.modules), "imported before a name is asked for"
from mmdetpre.datasets.packed import packing; from mmdetpre.datasets import pack_dataset
assert pack_dataset is packing.pack_dataset
from mmdetpre.evaluation import Detections; from mmdetpre.evaluation.voc_ap import average_precision as voc_ap
assert Detections.__module__ == "mmdetpre.evaluation.detections.detections"
assert voc_ap.__name__ == "mmdetpre.evaluation.voc_ap.average_precision"
from mmdetpre.hooks import *
from mmdetpre import hooks
assert hooks.__all__ and all(globals()[name].__name__ == name for name in hooks.__all__)
"""
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_detector_is_offered_by_the_package_itself() -> None:
    from mmdetpre.inference.detector import MultiScaleDetector

    assert mmdetpre.MultiScaleDetector is MultiScaleDetector
