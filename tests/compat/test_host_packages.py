from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from mmdetpre.compat import host_packages
from mmdetpre.compat.host_packages import FORK_OF, TESTED, distribution_name, distributions, installed_versions


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    """Function that pretends that exactly these distributions are installed."""

    def pretend(**versions: str) -> None:
        installed = {name.replace("_", "-"): version for name, version in versions.items()}

        def version(name: str) -> str:
            if name not in installed:
                raise metadata.PackageNotFoundError(name)
            return installed[name]

        monkeypatch.setattr(host_packages.metadata, "version", version)
        monkeypatch.setattr(host_packages, "module_folder", lambda package: None)

    return pretend


def test_this_environment_holds_every_library_once() -> None:
    versions = installed_versions()
    for package in TESTED:
        assert len({package, FORK_OF.get(package)} & set(versions)) == 1, package


def test_either_distribution_is_found(install) -> None:
    install(mmdet="3.3.0", onedl_mmengine="0.10.12", mmcv_lite="2.1.0")
    assert installed_versions() == {"mmdet": "3.3.0", "onedl-mmengine": "0.10.12", "mmcv": "2.1.0"}
    assert (distribution_name("mmdet"), distribution_name("mmengine")) == ("mmdet", "onedl-mmengine")
    assert distribution_name("mmpretrain") is None


def test_both_distributions_are_named(install) -> None:
    install(mmdet="3.3.0", onedl_mmdetection="3.5.1", mmcv="2.1.0", mmcv_lite="2.1.0")
    assert installed_versions() == {"mmdet": "3.3.0", "onedl-mmdetection": "3.5.1", "mmcv": "2.1.0"}
    install(mmcv="2.2.0", mmcv_lite="2.1.0")
    assert installed_versions() == {"mmcv": "2.2.0", "mmcv-lite": "2.1.0"}


def test_a_source_tree_has_the_version_that_it_says(install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install()
    assert distributions("mmdet") == {}
    (tmp_path / "version.py").write_text("__version__ = '3.3.0'\nshort_version = __version__\n")
    monkeypatch.setattr(host_packages, "module_folder", lambda package: tmp_path)
    assert distributions("mmdet") == {"mmdet": "3.3.0"} and distribution_name("mmdet") is None
    (tmp_path / "version.py").write_text("from importlib.metadata import version\n")
    assert distributions("mmdet") == {}
