"""The image: its steps name what there is; and where an engine and its base can be had, it is built and runs."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "docker" / "Dockerfile"


def steps() -> list[tuple[str, str]]:
    """Instruction and argument of each step, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", FILE.read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def arguments(instruction: str) -> list[str]:
    return [rest for word, rest in steps() if word == instruction]


def test_the_steps_are_known_ones() -> None:
    known = {"ARG", "FROM", "RUN", "WORKDIR", "COPY", "ENV", "CMD"}
    assert {word for word, _ in steps()} == known
    assert [word for word, _ in steps()][:2] == ["ARG", "FROM"]
    assert arguments("FROM") == ["${BASE}"]


def test_what_is_copied_is_there_and_not_left_out() -> None:
    left_out = (ROOT / ".dockerignore").read_text().split()
    for copied in arguments("COPY"):
        *sources, _ = copied.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            kept = [line[1:] for line in left_out if line.startswith("!")]
            assert source in kept, f".dockerignore leaves {source} out"
    assert not any(fnmatch.fnmatch("docs", line[1:]) for line in left_out if line.startswith("!"))


def test_all_that_the_set_up_reads_is_copied() -> None:
    copied = {source for line in arguments("COPY") for source in line.split()[:-1]}
    script = (ROOT / "tools/dev/setup_env.sh").read_text()
    read = {name.split("/")[0] for name in re.findall(r"\b((?:requirements|tools|mmdetpre)/[\w./]+)", script)}
    assert read | {"setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE", "model-index.yml"} <= copied


def test_its_commands_are_those_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = re.findall(r"\bmake ([a-z-]+)", " ".join(arguments("RUN")).replace("ca-certificates make python3", ""))
    assert used == ["setup"] and set(used) <= targets


def test_every_device_is_made_or_refused() -> None:
    run = arguments("RUN")[-1]
    cases = re.findall(r"(?:in|;;) +(\w+|\*)\) (.*?)(?=;;)", run)
    assert [name for name, _ in cases] == ["gpu", "cpu", "*"] and "exit 1" in cases[2][1]
    assert "DEVICE=gpu" in arguments("ARG")
    names = re.search(r"grep -oE '(\^\(nvidia\S+)'", cases[1][1])
    versions = re.search(r"grep -oE '(\^\(torch\S+)' (\S+)\)", cases[1][1])
    assert names and versions
    lock = (ROOT / versions[2]).read_text()
    assert [line.split("==")[0] for line in lock.splitlines() if re.match(versions[1], line)] == [
        "torch",
        "torchvision",
    ]
    cuda = {re.match(names[1], line)[0] for line in lock.splitlines() if re.match(names[1], line)}  # type: ignore[index]
    assert {"triton", "nvidia-cudnn-cu13", "cuda-toolkit"} < cuda
    assert {name for name in cuda if f"\n{name}==" not in lock} == set(), "a name that is cut"


def engine() -> tuple[str, str]:
    """A program that builds, and a base that it has; MMDETPRE_TEST_IMAGE_BASE names another one. Nothing is fetched."""
    base = os.environ.get("MMDETPRE_TEST_IMAGE_BASE") or arguments("ARG")[0].removeprefix("BASE=")
    for name in ("docker", "podman", "buildah"):
        command = [name, "inspect", "--type", "image", base] if name == "buildah" else [name, "image", "inspect", base]
        if shutil.which(name) and subprocess.run(command, capture_output=True, timeout=60).returncode == 0:
            return name, base
    pytest.skip(
        f"neither docker, podman nor buildah has {base} here: fetch it, or name a base by MMDETPRE_TEST_IMAGE_BASE"
    )


@pytest.mark.slow
def test_it_is_built_and_runs() -> None:
    program, base = engine()
    build, tag = ["bud"] if program == "buildah" else ["build"], "localhost/mmdetpre-test"
    command = [program, *build, "--file", str(FILE), "--build-arg", f"BASE={base}", "--tag", tag, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    try:
        said = run_in(program, tag, "mmdetpre", "--help") + run_in(program, tag, "python", "-m", "snakemake", "--help")
        assert "study" in said and "--executor" in said
    finally:
        subprocess.run([program, "rmi", "--force", tag], capture_output=True)


def run_in(program: str, tag: str, *command: str) -> str:
    if program != "buildah":
        return subprocess.run(
            [program, "run", "--rm", tag, *command], capture_output=True, text=True, check=True
        ).stdout
    container = subprocess.run([program, "from", tag], capture_output=True, text=True, check=True).stdout.strip()
    try:
        inner = [program, "run", container, "--", *command]
        return subprocess.run(inner, capture_output=True, text=True, check=True).stdout
    finally:
        subprocess.run([program, "rm", container], capture_output=True)
