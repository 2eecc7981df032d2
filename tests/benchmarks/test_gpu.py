"""What a machine without network needs, what is kept between calls, and the arithmetic that sets the limit."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path

import gpu
import pytest
import torch
from arithmetic import count_operations, matrix_rate
from gpu import Case, Results, cases, precision, training_rows
from gpu_packages import locked, needed, outdated
from mmcv.ops import DeformConv2d, DeformConv2dPack
from torch import nn

from mmdetpre.models.deform_conv import DeformConv

LOCK = """addict==2.4.0
    # via mmengine
numpy==2.4.6 ; python_full_version == '3.11.*'
    # via numba
numpy==2.5.5 ; python_full_version >= '3.12'
colorama==0.4.6 ; sys_platform == 'win32'
Shapely==2.2.0 ; python_full_version >= '3.11' and platform_machine == 'x86_64'
"""


def test_versions_are_those_of_the_other_machine():
    assert locked(LOCK, "3.12") == {"addict": "2.4.0", "numpy": "2.5.5", "shapely": "2.2.0"}
    assert locked(LOCK, "3.11")["numpy"] == "2.4.6"


def test_what_is_there_is_not_fetched_nor_what_it_needs():
    names = needed(["mmdet", "mmcv", "torch"], ["torch", "numpy", "matplotlib"])
    assert {"mmdet", "mmcv", "mmengine", "shapely", "pycocotools"} <= set(names)
    assert not {"torch", "numpy", "sympy", "matplotlib", "kiwisolver"} & set(names)


def test_wheels_of_other_versions_are_outdated(tmp_path):
    kept = ["addict-2.4.0-py3-none-any.whl", "mmcv-2.1.0-cp312-cp312-linux_x86_64.whl", "mmcv-2.1.0.tar.gz",
            "opencv_python_headless-5.0.0-cp37-abi3-manylinux_2_28_x86_64.whl"]  # fmt: skip
    old = ["addict-2.3.0-py3-none-any.whl", "rich-1.0-py3-none-any.whl"]
    for name in [*kept, *old]:
        (tmp_path / name).touch()
    names = ["addict", "mmcv", "opencv-python"]
    assert sorted(p.name for p in outdated(tmp_path, names, {"addict": "2.4.0", "opencv-python": "5.0.0"})) == old


def test_cases_have_names_of_their_own_and_compile_last():
    found = cases([16, 32], compiled=True)
    assert len({str(case) for case in found}) == len(found) == 10
    assert [case.compiled for case in found] == [False] * 8 + [True] * 2
    assert not any(case.compiled for case in cases([16], compiled=False))
    assert str(Case(16, "bf16", channels_last=True)) == "batch 16, bf16, channels_last"


def test_a_kept_case_is_not_run_again_and_a_failed_one_is(tmp_path):
    files = [tmp_path / "a" / "cases.json", tmp_path / "b.json"]

    def too_large():
        raise torch.OutOfMemoryError("out of memory. Tried to allocate")

    def broken():
        raise ValueError("no")

    results = Results(files, "cpu", dry_run=True)
    assert results.of("small", lambda: 7, "cpu") == 7
    assert results.of("large", too_large, "cpu") is None
    assert results.of("broken", broken, "cpu") is None
    assert json.loads(files[1].read_text()) == json.loads(files[0].read_text())
    files[0].unlink()
    again = Results(files, "cpu", dry_run=True)
    assert again.of("small", broken, "cpu") == 7
    assert again.of("large", broken, "cpu") is None and "large" in again.kept["cases"]
    assert again.of("broken", lambda: 8, "cpu") == 8
    with pytest.raises(SystemExit, match="another file"):
        Results(files, "cpu", dry_run=False)


def test_rows_of_a_case():
    found = dict(seconds=0.5, bytes=2**30, waits=["a.py:1"] * 3, parts=dict(backward=0.3, rest=0.1), rate=1e12,
                 operations=8e11)  # fmt: skip
    chips, memory, waits, backward, rest = training_rows(Case(16, "bf16"), found, 1.0, "model")
    assert (chips.ours, chips.theirs, chips.limit) == (32, 16, 20)
    assert (memory.ours, waits.ours, backward.ours, rest.ours) == (1, 3, pytest.approx(75), pytest.approx(25))


def test_precision_is_set_and_restored():
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    for kind, allowed in (("fp32", False), ("tf32", True), ("bf16", True)):
        with precision(kind):
            assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is allowed
    assert before == (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)


@pytest.mark.parametrize("kind", [DeformConv, DeformConv2dPack])
def test_operations_of_deformable_convolutions_count(kind):
    layer, x = kind(8, 16, 3, padding=1, deform_groups=2), torch.randn(2, 8, 10, 10)
    assert isinstance(layer, DeformConv2d)
    pixels, taps = 2 * 10 * 10, 8 * 9
    convolution, offsets = 2 * pixels * 16 * taps, 2 * pixels * 36 * taps
    with torch.no_grad():
        assert count_operations(lambda: layer(x), layer) == convolution + offsets
    # No gradient flows into the input: of the plain convolution only the weights' is computed.
    assert count_operations(lambda: layer(x).sum().backward(), layer) == 3 * convolution + 2 * offsets


def test_operations_of_a_plain_layer_and_the_rate():
    layer, x = nn.Linear(30, 20), torch.randn(10, 30)
    assert count_operations(lambda: layer(x), layer) == 2 * 10 * 30 * 20
    assert matrix_rate("cpu", size=64, repeats=3) > 0


@pytest.fixture
def given(repository: Path, tmp_path: Path) -> list[str]:
    """What gpu.sh gives to gpu.py for a dry run, found out with a Python that only writes it down."""
    python = tmp_path / "python"
    python.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    sizes = "--batches 1 --repeats 1 --warm-up 0 --no-compile"
    environment = dict(PYTHON=str(python), OUT=str(tmp_path / "out"), WORK=str(tmp_path / "work"))
    environment["MEASURE"] = f"--device cpu --dry-run {sizes}"
    command = [str(repository / "benchmarks" / "gpu.sh"), "measure"]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()
    return words[words.index("benchmarks/gpu.py") + 1 :]


@pytest.mark.slow
def test_a_dry_run_has_every_kind_of_row(given, tmp_path, monkeypatch, repository):
    monkeypatch.chdir(repository)
    amp = gpu.amp_optimizer_wrapper
    monkeypatch.setattr(amp, "is_cuda_available", amp.is_cuda_available)  # the dry run sets it
    parser = argparse.ArgumentParser()
    gpu.arguments(parser)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(given)
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    rows = list(gpu.rows(args))
    assert before == (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
    found = "\n".join(row.what for row in rows)
    for kind in ("fp32", "tf32", "bf16", "bf16, channels_last"):
        assert f"train DRY RUN tiny SNIPER, batch 1, {kind}\n" in found
    for words in (
        "NMS of 50 boxes, cpu",
        "RoIAlign 14 x 14",
        "deformable convolution 3 x 3",
        "a batch of 1 chips to the device",
        "loader, 1 worker, generated photos",
    ):
        assert f"DRY RUN {words}" in found, words
    assert "forward and backward, cpu" in found and "image at a time, TF32" in found
    loader = next(row for row in rows if "loader" in row.what)
    assert loader.ours > 0 and "fastest step takes (batch 1" in loader.against and loader.gain == 1
    kept = json.loads((tmp_path / "work" / "cases.json").read_text())["cases"]
    assert len(kept) == 8 and all("found" in case for case in kept.values()), "no case failed"
    again = list(gpu.rows(args))
    assert [row.what for row in again] == [row.what for row in rows], "kept cases are not measured anew"
    assert args.json == tmp_path / "out" / "rows.json"
