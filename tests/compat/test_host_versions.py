from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mmdetpre.compat import host_versions
from mmdetpre.compat.host_packages import FORK_OF, TESTED, TESTED_FORK
from mmdetpre.compat.host_versions import (
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
FORK = {"torch": "2.11.0", "torchvision": "0.26.0", "numpy": "2.4.6"} | {
    "onedl-mmengine": "0.10.12",
    "onedl-mmcv": "2.3.6",
    "onedl-mmdetection": "3.5.1",
    "onedl-mmsegmentation": "1.4.2",
    "onedl-mmpretrain": "1.3.6",
}


def ranges_in(file: Path) -> dict[str, SpecifierSet]:
    lines = [line.split("#")[0].strip() for line in file.read_text().splitlines() if line[:1] not in ("#", " ", "-")]
    requirements = [Requirement(line.removesuffix("\\")) for line in lines if line]
    return {requirement.name: requirement.specifier for requirement in requirements}


def test_tested_ranges_are_those_of_the_requirements(repository: Path) -> None:
    ranges = ranges_in(repository / "requirements" / "runtime.txt")
    assert "mmcv" not in ranges
    for name, tested in TESTED.items():
        if name != "mmcv":
            assert ranges[name] == Requirement(name + tested).specifier, name


def test_the_pinned_fork_is_the_tested_one(repository: Path) -> None:
    pinned = ranges_in(repository / "requirements" / "onedl_lock.txt")
    assert not {*FORK_OF, "mmcv-lite", "openmim"} & set(pinned), "OpenMMLab's would overwrite the fork's"
    for name, tested in TESTED_FORK.items():
        (pin,) = pinned[name]
        assert SpecifierSet(tested).contains(pin.version), name
        assert pinned[name] == ranges_in(repository / "requirements" / "onedl.txt")[name]
    for name in ("torch", "torchvision"):
        (pin,) = pinned[name]
        assert SpecifierSet(TESTED[name]).contains(pin.version), name


def test_installed_versions_pass_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_host_versions()


def test_tested_versions_are_not_reported() -> None:
    assert known_breakage(GOOD) is None
    assert untested_versions(GOOD) == []
    assert known_breakage(FORK) is None
    assert untested_versions(FORK) == []


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


@pytest.mark.parametrize(
    ("change", "expected", "fix"),
    [
        (
            {"onedl-mmdetection": None},
            "onedl-mmdetection is not installed",
            'pip install "onedl-mmdetection>=3.5.1,<3.6"',
        ),
        ({"onedl-mmcv": None}, "onedl-mmcv is not installed", 'pip install "onedl-mmcv>=2.3.6,<2.4"'),
        ({"numpy": None}, "numpy is not installed", 'pip install "numpy>=1.26"'),
        (
            {"mmdet": "3.3.0"},
            "mmdet 3.3.0 and onedl-mmdetection 3.5.1 are both installed",
            'pip uninstall -y mmdet onedl-mmdetection`, then `pip install "onedl-mmdetection>=3.5.1,<3.6"`',
        ),
        (
            {"onedl-mmdetection": None, "mmdet": "3.3.0"},
            "mmdet 3.3 refuses mmcv 2.3.6",
            "pip install mmcv-lite==2.1.0",
        ),
    ],
)
def test_known_breakage_of_the_fork_names_the_repair(change: dict[str, str | None], expected: str, fix: str) -> None:
    versions = {name: version for name, version in {**FORK, **change}.items() if version is not None}
    message = known_breakage(versions)
    assert message is not None
    assert expected in message and fix in message
    assert message.count("not installed") + message.count("both installed") <= 1


def test_two_distributions_of_one_library_are_refused() -> None:
    message = known_breakage({**GOOD, "onedl-mmengine": "0.10.12"})
    assert message is not None and "mmengine 0.10.7 and onedl-mmengine 0.10.12 are both installed" in message
    assert '`pip install "mmengine>=0.10.7,<0.12"`' in message
    message = known_breakage({**GOOD, "mmcv": "2.2.0", "mmcv-lite": "2.1.0"})
    assert message is not None and "mmcv 2.2.0 and mmcv-lite 2.1.0 are both installed" in message
    assert '`pip install "mmcv-lite>=2.1.0,<2.2.0"`' in message


def test_versions_of_the_fork_out_of_range_and_mixed_sets_are_reported() -> None:
    assert untested_versions({**FORK, "onedl-mmdetection": "4.0.0"}) == [
        "onedl-mmdetection 4.0.0 (tested: >=3.5.1,<3.6)"
    ]
    mixed = {name: version for name, version in GOOD.items() if name != "mmpretrain"} | {"onedl-mmpretrain": "1.3.6"}
    assert known_breakage(mixed) is None
    (line,) = untested_versions(mixed)
    assert line.startswith("mmcv, mmdet, mmengine, mmsegmentation of OpenMMLab with onedl-mmpretrain of its fork")


def test_mmengine_before_its_release_is_tested() -> None:
    assert untested_versions({**GOOD, "mmengine": "0.11.0rc3"}) == []


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


def test_operators_that_cannot_be_loaded_are_refused() -> None:
    def does_not_fit(name: str) -> ModuleType:
        if name == "mmcv._ext":
            raise ImportError("mmdetpre: they do not fit. Install others", name="mmcv._ext")
        return ModuleType(name)

    assert broken_operators(does_not_fit) == "they do not fit. Install others"


def test_other_missing_modules_keep_their_own_error() -> None:
    def no_opencv(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    with pytest.raises(ModuleNotFoundError, match="cv2"):
        broken_operators(no_opencv)


def _pretend(monkeypatch: pytest.MonkeyPatch, gpu: bool, compiled: str) -> None:
    """A machine with or without a GPU, and an mmcv compiled for it or not."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.setattr("mmcv._ext.get_compiling_cuda_version", lambda: compiled)
