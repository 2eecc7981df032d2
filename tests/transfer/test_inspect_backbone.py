"""Files beside networks of other libraries and other files; OpenMMLab is needed for none of that."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
import torchvision
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from mmdetpre.transfer import KeyMapError, read_checkpoint
from mmdetpre.transfer.inspect_backbone import describe_checkpoint, equal_values, inspect_like, library_network

timm = pytest.importorskip("timm")
BLOCKED = """
import json, os, sys
for host in ("mmengine", "mmcv", "mmdet", "mmseg", "mmpretrain"):
    sys.modules[host] = None
import timm, torchvision, mmdetpre.transfer.inspect_backbone
from mmdetpre.cli.main import main
for number, words in enumerate(json.loads(sys.argv[1])):
    if os.fork() == 0:
        for descriptor in (1, 2):
            os.dup2(os.open(f"{sys.argv[2]}/{number}.{descriptor}", os.O_WRONLY | os.O_CREAT), descriptor)
        sys.exit(main(["inspect", *words]))
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.fixture
def inspect(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list]:
    """Function that runs ``mmdetpre inspect`` once with each list of arguments, where OpenMMLab cannot be imported.

    Each run is a fork of one process that has loaded the other libraries.
    """

    def run(*commands: Sequence[object]) -> list[subprocess.CompletedProcess]:
        said = tmp_path_factory.mktemp("said")
        words = json.dumps([[*map(str, command)] for command in commands])
        command = [sys.executable, "-u", "-c", BLOCKED, words, str(said)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=repository)
        assert done.returncode == 0, done.stderr
        outputs = [[(said / f"{k}.{descriptor}").read_text() for descriptor in (1, 2)] for k in range(len(commands))]
        codes = map(int, done.stdout.split())
        return [subprocess.CompletedProcess(words, code, *output) for code, output in zip(codes, outputs, strict=True)]

    return run


@pytest.fixture
def mobile(tmp_path: Path) -> Path:
    network = timm.create_model("mobilenetv2_035")
    for name, tensor in network.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_()
    save_file(network.state_dict(), tmp_path / "mobile.safetensors")
    return tmp_path / "mobile.safetensors"


def test_a_network_of_timm_and_of_torchvision(mobile: Path, inspect: Callable) -> None:
    fits, wide, other, unknown, alone, address = inspect(
        [mobile, "--timm", "mobilenetv2_035", "--json", mobile.parent / "report.json"],
        [mobile, "--torchvision", "mobilenet_v2"],
        [mobile, "--timm", "convnext_atto"],
        [mobile, "--timm", "mobilenet_of_nobody"],
        [mobile],
        ["torchvision://resnet18"],
    )
    assert fits.returncode == 0 and "Backbone: EXPECTED" in fits.stdout, fits.stderr
    assert "into timm's mobilenetv2_035 (MobileNetV2-0.35); nothing was loaded" in fits.stdout
    assert wide.returncode == 1 and "wrong width" in wide.stdout and "set widen_factor=0.35" in wide.stdout
    assert other.returncode == 1 and "wrong family: the file holds a MobileNetV2-0.35" in other.stdout
    assert unknown.returncode == 1 and "timm has no network 'mobilenet_of_nobody'" in unknown.stderr
    assert alone.returncode == 0 and alone.stdout.startswith("backbone: MobileNetV2-0.35\n")
    assert address.returncode == 1 and "which mmengine fetches" in address.stderr


def test_another_file_and_the_values_in_both(mobile: Path, tmp_path: Path, inspect: Callable) -> None:
    state = {f"model.backbone.{name}": tensor for name, tensor in read_checkpoint(mobile).tensors.items()}
    history = {"message_hub": {"log_scalars": {"loss": HistoryBuffer([1.0], [1])}}}
    torch.save({"state_dict": state, **history}, tmp_path / "after.pth")
    fresh = timm.create_model("mobilenetv2_035").state_dict()
    torch.save(fresh, tmp_path / "fresh.pth")
    arrived, lost = inspect(*([mobile, "--like", tmp_path / name] for name in ("after.pth", "fresh.pth")))
    assert arrived.returncode == 0 and "values: 260 of 260 tensors" in arrived.stdout, arrived.stdout + arrived.stderr
    assert lost.returncode == 0 and "values: 156 of 260 tensors" in lost.stdout  # norms begin as they do everywhere


def test_equal_values_do_not_count_heads_and_formats(mobile: Path) -> None:
    read = read_checkpoint(mobile)
    state = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in read.tensors.items()}
    state["classifier.weight"] = torch.zeros(3, 3)
    assert equal_values(read, state) == (260, 260)
    state["conv_stem.weight"] = state["conv_stem.weight"] + 1
    assert equal_values(read, state) == (259, 260)


def test_a_network_of_no_known_family(tmp_path: Path) -> None:
    network = torchvision.models.squeezenet1_1().state_dict()
    torch.save(network, tmp_path / "model.pth")
    report = inspect_like(tmp_path / "model.pth", network, "squeezenet")
    assert report.verdict == "expected" and "unknown family" in report.target  # the head is compared with none
    assert "compared by equal names" in report.source_description
    assert inspect_like(tmp_path / "none.pth", network, "squeezenet").verdict == "refused"


def test_alone_a_network_of_no_known_family_says_which_prefix_it_took(tmp_path: Path) -> None:
    state = torchvision.models.squeezenet1_1().features.state_dict()
    torch.save(
        {f"model.backbone.{k}": v for k, v in state.items()} | {"model.head.bias": torch.ones(2)}, tmp_path / "a"
    )
    text = describe_checkpoint(tmp_path / "a")
    assert text.startswith("backbone: unknown family\ntensors: 50, and 1 outside of the backbone\n")
    assert "prefix 'model.backbone.' (guessed, for it is of no known family: --prefix says another)\n" in text
    named = describe_checkpoint(tmp_path / "a", prefix="model.backbone")
    assert "guessed" not in named and named.splitlines()[3] == text.splitlines()[3]  # the digest
    torch.save(torchvision.models.squeezenet1_1().state_dict(), tmp_path / "a")
    assert "prefix '' (guessed, " in describe_checkpoint(tmp_path / "a")
    assert "--prefix says another, such as features., classifier.)" in describe_checkpoint(tmp_path / "a")


def test_two_backbones_in_the_other_file(mobile: Path) -> None:
    state = read_checkpoint(mobile).tensors
    both = {f"{who}.{name}": tensor for who in ("student", "teacher") for name, tensor in state.items()}
    with pytest.raises(KeyMapError, match="prefix='student.' or prefix='teacher.'"):
        inspect_like(mobile, both, "both")


def test_networks_have_no_head_where_that_can_be_left_out() -> None:
    assert "classifier.weight" not in library_network("timm", "mobilenetv2_035").state_dict()
    with pytest.raises(ValueError, match="torchvision has no network 'resnet19'"):
        library_network("torchvision", "resnet19")
