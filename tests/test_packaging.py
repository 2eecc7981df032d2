from __future__ import annotations

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from mmdetpre.version import __version__

HOSTS = ("mmdet", "mmseg", "mmpretrain")


def own_configs(repository: Path) -> set[Path]:
    configs = (path.relative_to(repository) for path in (repository / "configs").rglob("*.py"))
    return {path for path in configs if "_base_" not in path.parts}


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
    from packaging.utils import canonicalize_name

    pinned: dict[str, list[Requirement]] = {}
    for line in (repository / "requirements" / "lock.txt").read_text().splitlines():
        if line and line[0] not in "# ":
            requirement = Requirement(line.removesuffix("\\"))
            pinned.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    for name in ("runtime", "tests", "docs", "build", "study", "zoo", "hub", "onnx"):
        for line in (repository / "requirements" / f"{name}.txt").read_text().splitlines():
            if text := line.split("#")[0].strip():
                wanted = Requirement(text)
                assert canonicalize_name(wanted.name) in pinned, f"{wanted.name} is not in the lock"
                for pin in pinned[canonicalize_name(wanted.name)]:
                    version = next(iter(pin.specifier)).version
                    assert wanted.specifier.contains(version), f"the lock has {pin}, {name}.txt wants {wanted}"


def test_every_pin_of_the_lock_has_its_hashes(repository: Path) -> None:
    pins = re.split(r"^(?=\w)", (repository / "requirements" / "lock.txt").read_text(), flags=re.MULTILINE)
    pins = [pin for pin in pins if re.match(r"\w", pin)]
    assert len(pins) > 100
    assert [pin.split()[0] for pin in pins if not re.search(r"--hash=sha256:[0-9a-f]{64}$", pin, re.MULTILINE)] == []


def test_set_up_takes_nothing_without_a_hash(repository: Path) -> None:
    """uv comes by the lines of the lock, and uv holds every other file against its own."""
    script = (repository / "tools" / "dev" / "setup_env.sh").read_text()
    found = re.search(r"sed -n '(\S+)' requirements/lock.txt", script)
    assert found
    command = ["sed", "-n", found[1], str(repository / "requirements" / "lock.txt")]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0].startswith("uv==") and len(lines) > 1
    assert all(line.startswith("    --hash=sha256:") for line in lines[1:])
    assert all(line.endswith("\\") for line in lines[:-1]) and not lines[-1].endswith("\\")
    commands = [line for line in script.splitlines() if re.search(r"pip install .*-", line) and "fail" not in line]
    assert len(commands) == 3
    assert all("--require-hashes" in line or "--no-deps --no-build-isolation" in line for line in commands)


def test_no_file_names_a_place_of_one_machine(repository: Path, tracked_files: list[Path]) -> None:
    """What is tracked works anywhere: no absolute paths of a developer, no address of a package index."""
    path_of_a_person = re.compile(r"(?<![\w./-])/(?:work|home|root|Users)/\w")
    address = re.compile(r"https?://\S+")
    of_packages = ("requirements/", "tools/dev/", ".ci/", "Makefile")
    found = []
    for path in tracked_files:
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


def test_version_stands_in_one_place(repository: Path) -> None:
    """What must be a number by its own rules, the citation and the newest heading of the changelog, is held to it."""
    citation = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    releases = re.findall(r"^## (\d\S*)", (repository / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert releases[0] == __version__
    settings = (repository / "setup.cfg").read_text() + (repository / "pyproject.toml").read_text()
    assert __version__ not in settings


def test_citation_has_what_the_format_asks_for(repository: Path) -> None:
    citation = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["license"] == "Apache-2.0"
    paper = citation["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]] == ["Li", "Singh", "Najibi", "Wu", "Davis"]
    assert paper["url"] in (repository / "README.md").read_text()


def test_workflow_checks_every_python_that_the_package_claims(repository: Path) -> None:
    workflow = yaml.safe_load((repository / ".github" / "workflows" / "test.yml").read_text())
    job = workflow["jobs"]["test"]
    claimed = re.findall(r"Python :: (3\.\d+)", (repository / "setup.cfg").read_text())
    assert job["strategy"]["matrix"]["python"] == claimed
    targets = re.findall(r"^([a-z]+):", (repository / "Makefile").read_text(), flags=re.MULTILINE)
    commands = [step["run"].split() for step in job["steps"] if "run" in step]
    assert [words[1] for words in commands] == ["setup", "lint", "test"]
    assert all(words[0] == "make" and words[1] in targets for words in commands)


def test_hooks_before_a_commit_start_what_make_lint_starts(repository: Path) -> None:
    hooks = yaml.safe_load((repository / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    lint = (repository / "Makefile").read_text()
    for hook in hooks:
        assert " ".join(hook["entry"].split()[:2]) in lint
