from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

HOSTS = ("mmdet", "mmseg", "mmpretrain")


def own_configs(repository: Path) -> set[Path]:
    configs = (path.relative_to(repository) for path in (repository / "configs").rglob("*.py"))
    return {path for path in configs if "_base_" not in path.parts}


def tracked_files(repository: Path) -> list[Path]:
    if not (repository / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files belong to the project")
    command = ["git", "-C", str(repository), "ls-files", "-z"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [repository / name for name in names.split("\0") if name and (repository / name).is_file()]


@pytest.mark.parametrize("host", HOSTS)
def test_no_config_shares_its_name_with_one_of_a_host(repository: Path, host: str) -> None:
    """``mim train`` takes a config of the host with the same base name where a path does not exist."""
    spec = find_spec(host)
    assert spec is not None and spec.origin is not None
    theirs = {path.name for path in (Path(spec.origin).parent / ".mim" / "configs").rglob("*.py")}
    assert theirs, f"{host} came without its configs"
    assert not {path.name for path in own_configs(repository)} & theirs


def test_configs_have_names_of_their_own(repository: Path) -> None:
    names = [path.name for path in own_configs(repository)]
    assert len(names) == len(set(names))


def test_model_index_lists_every_config_of_the_detectors(repository: Path) -> None:
    index = yaml.safe_load((repository / "model-index.yml").read_text())
    listed = []
    for name in index["Import"]:
        metafile = yaml.safe_load((repository / name).read_text())
        collections = {collection["Name"] for collection in metafile["Collections"]}
        for model in metafile["Models"]:
            assert model["In Collection"] in collections
            assert model["Name"] == Path(model["Config"]).stem
            listed.append(model["Config"])
    assert sorted(listed) == sorted(path.as_posix() for path in own_configs(repository))


def test_mim_reads_the_model_index() -> None:
    from mim.commands.search import get_model_info

    assert "sniper_openimages" in get_model_info("mmdetpre", to_dict=True)


def test_every_package_directory_is_a_package(repository: Path) -> None:
    directories = {path.parent for path in (repository / "mmdetpre").rglob("*.py") if ".mim" not in path.parts}
    assert [str(directory) for directory in sorted(directories) if not (directory / "__init__.py").exists()] == []


def test_lock_fits_the_requirements(repository: Path) -> None:
    from packaging.requirements import Requirement

    pinned: dict[str, list[Requirement]] = {}
    for line in (repository / "requirements" / "lock.txt").read_text().splitlines():
        if line and line[0] not in "# ":
            requirement = Requirement(line)
            pinned.setdefault(requirement.name, []).append(requirement)
    for name in ("runtime", "tests", "docs", "build", "study"):
        for line in (repository / "requirements" / f"{name}.txt").read_text().splitlines():
            if text := line.split("#")[0].strip():
                wanted = Requirement(text)
                assert wanted.name in pinned, f"{wanted.name} is not in the lock"
                for pin in pinned[wanted.name]:
                    version = next(iter(pin.specifier)).version
                    assert wanted.specifier.contains(version), f"the lock has {pin}, {name}.txt wants {wanted}"


def test_no_file_names_a_place_of_one_machine(repository: Path) -> None:
    """What is tracked works anywhere: no absolute paths of a developer, no address of a package index."""
    path_of_a_person = re.compile(r"(?<![\w./-])/(?:work|home|root|Users)/\w")
    address = re.compile(r"https?://\S+")
    of_packages = ("requirements/", "tools/dev/", ".ci/", "Makefile")
    found = []
    for path in tracked_files(repository):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        name = path.relative_to(repository).as_posix()
        found += [f"{name}: {match[0]}" for match in path_of_a_person.finditer(text)]
        if name.startswith(of_packages):
            found += [f"{name}: {match[0]}" for match in address.finditer(text)]
    assert found == []


def test_shell_scripts_parse(repository: Path) -> None:
    scripts = [repository / ".ci" / "run", *(repository / "tools").rglob("*.sh")]
    scripts = [script for script in scripts if script.exists()]
    assert scripts
    for script in scripts:
        subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.slow
def test_wheel_and_sdist_carry_configs_and_tools(repository: Path, tmp_path: Path) -> None:
    """Builds the wheel from the source distribution, as an installer would where there is no wheel."""
    source = tmp_path / "source"
    for path in tracked_files(repository):
        target = source / path.relative_to(repository)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    dist = tmp_path / "dist"
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(source)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        startup = wheel.read("mmdetpre_startup.py").decode(), wheel.read("mmdetpre_startup.pth").decode()
    assert startup == ((repository / "mmdetpre/operators/startup.py").read_text(), "import mmdetpre_startup\n")
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        packed = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    tracked = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    for name in tracked:
        if name.startswith(("configs/", "tools/")) or name == "model-index.yml":
            assert name in packed
            assert (f"mmdetpre/.mim/{name}" in names) != name.startswith("tools/dev/"), name
        if name.startswith("mmdetpre/"):  # templates of the report too
            assert name in names and name in packed
    assert not any(name.startswith(("tests/", "configs/", "tools/", "benchmarks/")) for name in names)
