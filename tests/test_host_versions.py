from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

from mmdetpre import host_versions
from mmdetpre.host_versions import (
    TESTED,
    HostVersionWarning,
    broken_operators,
    check_host_versions,
    known_breakage,
    operators_lack_cuda,
    untested_versions,
)

GOOD = {
    "torch": "2.11.0+cu130",
    "torchvision": "0.26.0",
    "mmengine": "0.10.7",
    "mmcv": "2.1.0",
    "mmdet": "3.3.0",
    "mmsegmentation": "1.2.2",
    "mmpretrain": "1.2.0",
    "numpy": "2.2.6",
}


def test_tested_ranges_are_those_of_the_requirements(repository: Path) -> None:
    lines = (repository / "requirements" / "runtime.txt").read_text().splitlines()
    requirements = [Requirement(line.split("#")[0].strip()) for line in lines if line.split("#")[0].strip()]
    ranges = {requirement.name: requirement.specifier for requirement in requirements}
    assert "mmcv" not in ranges
    for name, tested in TESTED.items():
        if name != "mmcv":
            assert ranges[name] == Requirement(name + tested).specifier, name


def test_installed_versions_pass_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_host_versions()


def test_tested_versions_are_not_reported() -> None:
    assert known_breakage(GOOD) is None
    assert untested_versions(GOOD) == []


@pytest.mark.parametrize(
    ("change", "expected", "fix"),
    [
        ({"mmcv": None}, "mmcv is not installed", "pip install mmcv-lite==2.1.0"),
        ({"mmdet": None}, "mmdet is not installed", 'pip install "mmdet>=3.3.0,<3.4"'),
        ({"mmcv": "2.2.0"}, r"refuses mmcv 2\.2\.0", "mmcv-lite==2.1.0"),
        ({"mmcv": "1.7.2"}, r"refuses mmcv 1\.7\.2", "pip uninstall -y mmcv"),
        ({"mmdet": "2.28.2"}, r"mmdet 2\.28\.2 has no mmengine runner", 'pip install "mmdet>=3.3.0,<3.4"'),
        ({"torch": "2.1.0"}, r"torch 2\.1\.0 was compiled for NumPy 1", 'pip install "numpy<2"'),
    ],
)
def test_known_breakage_names_the_repair(change: dict[str, str | None], expected: str, fix: str) -> None:
    versions = {name: version for name, version in {**GOOD, **change}.items() if version is not None}
    message = known_breakage(versions)
    assert message is not None
    assert expected.replace("\\", "") in message
    assert fix in message


def test_untested_version_warns_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_versions, "installed_versions", lambda: {**GOOD, "torch": "2.12.1", "mmdet": "3.4.0"})
    with pytest.warns(HostVersionWarning, match=r"torch 2\.12\.1 \(tested: >=2\.11,<2\.12\); mmdet 3\.4\.0"):
        check_host_versions()


def test_missing_optional_host_is_named() -> None:
    versions = {name: version for name, version in GOOD.items() if name != "mmpretrain"}
    assert known_breakage(versions) is None
    assert untested_versions(versions) == ["mmpretrain is not installed (tested: >=1.2.0,<1.3)"]


@pytest.mark.parametrize(
    ("gpu", "compiled", "lacking"),
    [(True, "not available", True), (True, "13.0", False), (False, "not available", False)],
)
def test_operators_for_the_cpu_lack_cuda_where_there_is_a_gpu(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, compiled: str, lacking: bool
) -> None:
    _pretend(monkeypatch, gpu, compiled)
    assert operators_lack_cuda() is lacking


def test_gpu_that_the_operators_cannot_use_is_reported_with_the_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_versions, "installed_versions", lambda: GOOD)
    _pretend(monkeypatch, gpu=True, compiled="not available")
    with pytest.warns(HostVersionWarning) as warned:
        check_host_versions()
    (warning,) = warned
    for part in ("built for the CPU only", "pip install mmcv-lite==2.1.0", 'CUDA_VISIBLE_DEVICES=""'):
        assert part in str(warning.message)


def test_operators_of_another_torch_are_refused() -> None:
    def undefined_symbol(name: str) -> ModuleType:
        if name == "mmcv._ext":
            raise ImportError("_ext.so: undefined symbol: _ZN2at4_ops5zeros4callE")
        return ModuleType(name)

    message = broken_operators(undefined_symbol)
    assert message is not None
    assert "do not fit the installed torch: _ext.so: undefined symbol" in message


def test_other_missing_modules_keep_their_own_error() -> None:
    def no_opencv(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    with pytest.raises(ModuleNotFoundError, match="cv2"):
        broken_operators(no_opencv)


def _pretend(monkeypatch: pytest.MonkeyPatch, gpu: bool, compiled: str) -> None:
    """A machine with or without a GPU, and an mmcv compiled for it or not."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.setattr("mmcv._ext.get_compiling_cuda_version", lambda: compiled)
