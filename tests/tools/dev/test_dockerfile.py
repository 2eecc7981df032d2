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
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
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
    (device,) = [line for line in arguments("ARG") if line.startswith("DEVICE=")]
    assert device == "DEVICE=gpu" and "DEVICE=${DEVICE}" in " ".join(arguments("RUN"))


@pytest.mark.parametrize("device", ["tpu", "CPU"])
def test_a_device_that_there_is_not(device: str) -> None:
    script = ["bash", str(ROOT / "tools/dev/setup_env.sh")]
    done = subprocess.run(script, env=os.environ | {"DEVICE": device, "PYTHON": "none"}, capture_output=True, text=True)
    assert done.returncode == 1 and f"DEVICE={device} is neither gpu nor cpu" in done.stderr


def test_the_lock_without_cuda() -> None:
    """Built for CPUs, everything but torch and what only CUDA needs stays as it is locked."""
    script = (ROOT / "tools/dev/setup_env.sh").read_text()
    pattern = re.search(r"local with_cuda='(.+)'", script)
    program = re.search(r"awk -v cuda=\"\$with_cuda\" '(.+)' \"\$LOCK\"", script)
    assert pattern and program
    lock = ROOT / "requirements/lock.txt"
    command = ["awk", "-v", f"cuda={pattern[1]}", program[1], str(lock)]
    left = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    before, after = (set(re.findall(r"^([a-z][\w.-]*)==", text, re.MULTILINE)) for text in (lock.read_text(), left))
    gone = before - after
    assert {"torch", "torchvision", "triton", "nvidia-cudnn-cu13"} <= gone
    assert all(re.match(r"torch$|torchvision$|triton$|nvidia-|cuda-", name) for name in gone)
    assert set(left.splitlines()) < set(lock.read_text().splitlines()) and "--hash" in left.splitlines()[1]


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
