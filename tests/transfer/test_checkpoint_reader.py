from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmdetpre.transfer import CheckpointError, load_backbone, read_checkpoint, write_backbone
from mmdetpre.transfer.preprocessing import of_checkpoint

WEIGHTS = {"conv1.weight": torch.arange(4.0), "bn1.num_batches_tracked": torch.tensor(5)}


@pytest.mark.parametrize("entry", ["state_dict", "model", "model_state_dict", ""])
def test_entries(tmp_path: Path, entry: str) -> None:
    torch.save({entry: WEIGHTS, "epoch": 3} if entry else OrderedDict(WEIGHTS), tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth")
    assert found.entry == entry and set(found.tensors) == set(WEIGHTS)
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in WEIGHTS.items())


def test_entries_that_need_a_choice(tmp_path: Path) -> None:
    raw = {f"module.{name}": tensor + 1 for name, tensor in WEIGHTS.items()} | {"steps": torch.tensor(9)}
    torch.save({"state_dict": WEIGHTS, "ema_state_dict": raw, "model": WEIGHTS}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="entry='state_dict'"):
        read_checkpoint(tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="it has state_dict, ema_state_dict, model"):
        read_checkpoint(tmp_path / "a.pth", entry="teacher")
    found = read_checkpoint(tmp_path / "a.pth", entry="ema_state_dict")
    assert found.averaged and torch.equal(found.tensors["module.conv1.weight"], WEIGHTS["conv1.weight"] + 1)


def test_weights_in_an_unknown_entry_are_pointed_to(tmp_path: Path) -> None:
    torch.save({"teacher": WEIGHTS, "student": WEIGHTS, "epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="entry='teacher', of teacher, student"):
        read_checkpoint(tmp_path / "a.pth")
    assert set(read_checkpoint(tmp_path / "a.pth", entry="student").tensors) == set(WEIGHTS)


@pytest.mark.parametrize(
    ("address", "reason"),
    [("torchvision://resnet1001", "knows no model 'resnet1001'"), ("nowhere://a.pth", "can not be found")],
)
def test_addresses_that_lead_nowhere(address: str, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        read_checkpoint(address)


def test_averaged_weights_of_a_checkpoint_and_the_raw_ones(resnet: Callable, save: Callable) -> None:
    averaged, raw = resnet(seed=2), resnet(seed=3)
    path = save(
        averaged.state_dict(),
        "backbone.",
        ema_state_dict={f"module.backbone.{k}": v for k, v in raw.state_dict().items()} | {"steps": torch.tensor(9)},
    )
    target = resnet(seed=1)
    report = load_backbone(target, path)
    assert report.verdict == "complete" and "averaged" in report.source_description
    assert torch.equal(target.conv1.weight, averaged.conv1.weight)
    assert load_backbone(target, path, entry="ema_state_dict").verdict == "expected"
    assert torch.equal(target.conv1.weight, raw.conv1.weight)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_detectron2_pickles(tmp_path: Path, protocol: int) -> None:
    arrays = {
        "stem.conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
        "big": np.arange(3, dtype=">f8"),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "empty": np.zeros((0, 3), np.float32),
    }
    content = {"model": arrays, "__author__": "test", "matching_heuristics": True, "one": np.float32(2)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    found = read_checkpoint(tmp_path / "a.pkl")
    assert found.kind == "pickle" and found.entry == "model"
    for name, array in arrays.items():
        assert np.array_equal(found.tensors[name].numpy(), array), name


def test_detectron2_pickle_of_python_2(tmp_path: Path) -> None:
    # What Python 2 wrote for {"model": {"w": np.array([1., 2.], "f4")}}: bytes are latin-1 text to Python 3.
    body = (
        b"\x80\x02}q\x00U\x05modelq\x01}q\x02U\x01wq\x03cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\n"
        b"q\x05K\x00\x85U\x01b\x87Rq\x06(K\x01K\x02\x85cnumpy\ndtype\nq\x07U\x02f4K\x00K\x01\x87Rq\x08(K\x03U\x01<NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08\x00\x00\x80?\x00\x00\x00@tbss."
    )
    (tmp_path / "a.pkl").write_bytes(body)
    assert read_checkpoint(tmp_path / "a.pkl").tensors["w"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("content", [{"model": {"w": np.array(["a", None], object)}}, {"model": {"w": print}}])
def test_pickles_with_more_than_numbers_are_refused(tmp_path: Path, content: dict) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(CheckpointError, match="would run code"):
        read_checkpoint(tmp_path / "a.pkl")


def test_a_cut_off_pickle(tmp_path: Path) -> None:
    whole = pickle.dumps({"model": {"w": np.arange(100.0)}})
    (tmp_path / "a.pkl").write_bytes(whole[:200])
    with pytest.raises(CheckpointError, match="a.pkl"):
        read_checkpoint(tmp_path / "a.pkl")


def test_safetensors(tmp_path: Path, resnet: Callable) -> None:
    source, target = resnet(), resnet(seed=1)
    digest = write_backbone(tmp_path / "a.safetensors", source.state_dict(), {"source_dataset": "drawn"})
    found = read_checkpoint(tmp_path / "a.safetensors")
    assert found.kind == "safetensors" and found.backbone_metadata["source_dataset"] == "drawn"
    report = load_backbone(target, tmp_path / "a.safetensors")
    assert report.verdict == "complete" and report.digest == digest
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((tmp_path / "a.safetensors").read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut off or damaged"):
        read_checkpoint(cut)


def test_http_is_fetched_once(server) -> None:
    address, served = server
    torch.save(WEIGHTS, served / "a.pth")
    assert set(read_checkpoint(f"{address}/a.pth").tensors) == set(WEIGHTS)
    (served / "a.pth").unlink()
    assert set(read_checkpoint(f"{address}/a.pth").tensors) == set(WEIGHTS)
    with pytest.raises(CheckpointError, match="cannot be fetched"):
        read_checkpoint(f"{address}/b.pth")


def test_a_damaged_download_says_what_to_remove(server) -> None:
    address, served = server
    torch.save(WEIGHTS, served / "a.pth")
    whole = (served / "a.pth").read_bytes()
    (served / "a.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"cut off or damaged.* Remove \S+a\.pth, so that") as caught:
        read_checkpoint(f"{address}/a.pth")
    Path(str(caught.value).split("Remove ")[1].split(",")[0]).unlink()
    (served / "a.pth").write_bytes(whole)
    assert set(read_checkpoint(f"{address}/a.pth").tensors) == set(WEIGHTS)


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        import os

        return os.mkdir, (self.path,)


def test_no_way_in_runs_code(server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address, served = server
    trap = tmp_path / "trap"
    torch.save({"state_dict": WEIGHTS, "x": Malicious(trap)}, served / "a.pth")

    def careless(filename: str, map_location: str):
        return torch.load(served / "a.pth", map_location=map_location, weights_only=False)

    monkeypatch.setattr(CheckpointLoader, "_schemes", {"careless://": careless} | CheckpointLoader._schemes)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    for source in (f"{address}/a.pth", "careless://a.pth", served / "a.pth"):
        with pytest.raises(CheckpointError, match="run code|more than plain data"):
            read_checkpoint(source)
        assert not trap.exists(), source
    import os

    assert os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1" and "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def test_mmengines_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = {"zoo://": lambda filename, map_location: {"state_dict": WEIGHTS, "meta": {"epoch": 2}}}
    monkeypatch.setattr(CheckpointLoader, "_schemes", loader | CheckpointLoader._schemes)
    found = read_checkpoint("zoo://a")
    assert set(found.tensors) == set(WEIGHTS) and found.meta == {"epoch": 2}


@pytest.mark.parametrize("key", ["cfg", "config"])
def test_the_config_of_a_file_from_an_address_is_read_too(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    text = "img_norm_cfg = dict(mean=[1, 2, 3], std=[1, 1, 1], to_rgb=False)"
    meta = {f"{key}_text": text}  # what mmengine's guarded loaders make of it, so that nothing executes it
    loader = {"zoo://": lambda filename, map_location: {"state_dict": WEIGHTS, "meta": meta}}
    monkeypatch.setattr(CheckpointLoader, "_schemes", loader | CheckpointLoader._schemes)
    found = read_checkpoint("zoo://a")
    assert found.config_text == text
    told = of_checkpoint(found, "torchvision")
    assert told is not None and told.mean == (1, 2, 3) and told.channel_order == "bgr"
