"""Pickles of every kind: whatever they say, nothing is called and no other file is read."""

from __future__ import annotations

import io
import itertools
import pickle
import random
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save as save_tensors
from torch import _weights_only_unpickler as unpickler

from mmdetpre.checkpoints.safety import STATISTICS, allowed_globals, strict_loading
from mmdetpre.checkpoints.torch_file import PLAIN, NotPlainData, check_pickle, read_torch_file
from mmdetpre.transfer.checkpoint_reader import CheckpointError, read_checkpoint
from mmdetpre.transfer.numpy_unpickler import KNOWN, load_arrays
from mmdetpre.utils.bounded_files import load_npz

DAMAGED = (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError)
"""What readers raise for files that they do not read."""
HISTORY = "mmengine.logging.history_buffer.HistoryBuffer"
ADMITTED = sorted(PLAIN | {name for _, name in allowed_globals()} | {"torch.FloatStorage", "torch.float32"})
FOREIGN = ["os.system", "posix.system", "builtins.eval", "builtins.exec", "builtins.__import__", "builtins.bytearray"]
FOREIGN += ["torch.load", "torch.hub.load", "torch.FloatTensor", "torch.Tensor", "torch._tensor._rebuild_from_type_v2"]
FOREIGN += ["numpy.load", "numpy.fromfile", "subprocess.Popen", "pathlib.Path", "io.open", "mmengine.Config.fromfile"]
FOREIGN += ["torch._utils._rebuild_sparse_tensor", "torch.storage.TypedStorage.from_file", "operator.attrgetter"]


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def named(name: str) -> bytes:
    module, _, last = name.rpartition(".")
    return b"c" + module.encode() + b"\n" + last.encode() + b"\n"


DTYPE = named("numpy.dtype") + text("f8") + b"\x85R"


def values(marker: Path) -> dict[str, bytes]:
    """Arguments and states, as instructions that leave one value."""
    return {
        "nothing": b"N",
        "a number": b"K\x03",
        "a huge number": b"\x8a\x08" + struct.pack("<q", 1 << 60),
        "minus one": b"J\xff\xff\xff\xff",
        "a command": text(f"touch {marker}"),
        "a path": text(str(marker.parent)),
        "an object type": text("O8"),
        "a type": text("f8"),
        "a pointer": text("V8"),
        "statistic": text("mean"),
        "secret attribute": text("__globals__"),
        "list": b"]K\x01a",
        "dictionary": b"}" + text("__class__") + text("x") + b"s",
        "empty": b")",
        "bytes": text("\x00\x01") + text("latin1") + b"\x86",
        "a dtype": DTYPE,
        "state of an array": b"(K\x01K\x01\x85" + DTYPE + b"\x89" + text("x") + b"t",
        "state of a history": b"}" + text("_log_history") + b"]s",
        "statistics": b"}" + text("statistics_methods") + b"}" + text("mean") + named("torch.Size") + b"ss",
        "slots": b"N}" + text("dtype") + b"Ns\x86",
        "state of a type": b"(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?t",
        "itself": b"]q\x00h\x00a",
        "a function": named("builtins.getattr") + named(HISTORY) + text("mean") + b"\x86R",
        "a class": named("numpy.ndarray"),
    }


def programs(marker: Path, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """Every name called, made and built, with every value and every pair of them; called and then built."""
    given = values(marker)
    for name, (what, value) in itertools.product(names, given.items()):
        target = named(name)
        yield f"REDUCE {name}({what})", target + value + b"\x85R"
        yield f"REDUCE {name}(*{what})", target + value + b"R"
        yield f"NEWOBJ {name}({what})", target + value + b"\x85\x81"
        yield f"BUILD {name} by {what}", target + value + b"b"
        yield f"NEWOBJ, BUILD {name} by {what}", target + b")\x81" + value + b"b"
        yield f"REDUCE, BUILD {name} by {what}", target + b")R" + value + b"b"
        yield f"PERSID {name} {what}", b"(" + text("storage") + target + value + text("cpu") + b"K\x01tQ"
        yield f"PERSID {what}", value + b"Q"
        yield f"SETITEM {name} {what}", target + text("a") + value + b"s"
        yield f"APPEND {name} {what}", target + value + b"a"
        yield f"EXT {name} {what}", target + value + b"\x82\x01"
    for name, (one, first), (two, second) in itertools.product(names, given.items(), given.items()):
        yield f"REDUCE {name}({one}; {two})", named(name) + first + second + b"\x86R"
        yield f"REDUCE {name}({one}), BUILD {two}", named(name) + first + b"\x85R" + second + b"b"
        yield f"NEWOBJ {name}({one}), BUILD {two}", named(name) + first + b"\x85\x81" + second + b"b"


def archive(program: bytes, storage: bytes = bytes(16)) -> bytes:
    """A file of torch.save with a pickle of one's own."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as file:
        for name, content in (
            ("data.pkl", program),
            ("byteorder", b"little"),
            ("version", b"3\n"),
            ("data/0", storage),
        ):
            file.writestr(f"a/{name}", content)
    return body.getvalue()


def plain(value: Any, seen: set[int]) -> bool:
    """Whether a value is data all through, or a stand-in that a file may name."""
    if id(value) in seen:
        return True
    seen.add(id(value))
    if isinstance(value, dict):
        return all(plain(item, seen) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple | set):
        return all(plain(item, seen) for item in value)
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "biufcSU"
    functions = [getattr(HistoryBuffer, name) for name in STATISTICS]
    if type(value) is HistoryBuffer:
        return all(method in functions for method in value._statistics_methods.values())
    known = (
        [stand_in for stand_in, _ in allowed_globals()] + functions + list(unpickler._get_allowed_globals().values())
    ) + list(KNOWN.values())
    if any(value is one for one in known):
        return True
    data = (str, bytes, bytearray, int, float, complex, type(None), torch.Tensor, torch.device, torch.layout)
    return isinstance(value, data) or type(value) in known


@pytest.fixture
def attack(tmp_path: Path, watched) -> Callable[[bytes, Callable[[Path], Any]], Any]:
    """Function that reads bytes under the watch; gives what was read, or None if they were refused."""
    path = tmp_path / "attack.pth"

    def read(content: bytes, reader: Callable[[Path], Any]) -> Any:
        path.write_bytes(content)
        with watched(reads=(tmp_path,), imports=("encodings",), parses=True):
            try:
                return reader(path)
            except DAMAGED:
                return None

    torch.save({"w": torch.ones(2), "log": HistoryBuffer([1.0], [1]), "n": np.ones(2)}, path)
    whole = path.read_bytes()
    str(torch.ones(1))  # torch writes a tensor into what it says of one that is called, and imports for that
    for content in (whole, archive(named("os.system") + b"."), b"\x80\x02}.", b"", b"PK\x03\x04", whole[:300]):
        path.write_bytes(content)  # what readers import when they first read, and first refuse
        for reader in (read_torch_file, read_checkpoint, read_arrays):
            with suppress(*DAMAGED):
                reader(path)
    return read


def read_arrays(path: Path) -> Any:
    with path.open("rb") as file:
        return load_arrays(file)


def read_tensors(path: Path) -> Any:
    return read_checkpoint(path).tensors


def test_all_that_is_admitted_in_every_combination(watched, marker: Path) -> None:
    """By torch's machine and our stand-ins alone, without the look through the file that comes before."""
    before = [list(vars(kind)) for kind in (HistoryBuffer, np.ndarray, torch.Tensor)]
    made = refused = 0
    with strict_loading():
        for what, program in programs(marker, ADMITTED):
            with watched(imports=("encodings",)):
                try:
                    found = unpickler.load(io.BytesIO(b"\x80\x02" + program + b"."))
                except Exception:  # forged arguments make torch raise anything
                    refused += 1
                    continue
            made += 1
            assert plain(found, set()), (what, type(found))
    assert made > 500 and refused > 10_000, (made, refused)
    assert [list(vars(kind)) for kind in (HistoryBuffer, np.ndarray, torch.Tensor)] == before


def test_foreign_names_are_refused_before_torch_reads(watched, marker: Path) -> None:
    for what, program in programs(marker, FOREIGN):
        if not any(name in what for name in FOREIGN):
            continue
        with watched(), pytest.raises(NotPlainData):
            check_pickle(io.BytesIO(b"\x80\x02" + program + b"."))
        with watched(), pytest.raises(pickle.UnpicklingError):
            load_arrays(io.BytesIO(b"\x80\x02" + program + b"."))


def test_arrays_in_every_combination(watched, marker: Path) -> None:
    made = 0
    for what, program in programs(marker, [f"{module}.{name}" for module, name in KNOWN]):
        with watched():
            try:
                found = load_arrays(io.BytesIO(b"\x80\x02" + program + b"."))
            except pickle.UnpicklingError:
                continue
        made += 1
        assert plain(found, set()) or type(found).__module__.startswith("mmdetpre") or callable(found), what
    assert made > 100


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02B\xff\xff\xff\x7f",  # two gigabytes of bytes
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40),
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 50) + b"N.",  # a frame
        b"\x80\x02Nr\xff\xff\xff\xff.",  # place 2**32 of the memo
        b"\x80\x02Np4000000000\n.",
        b"\x80\x02\x8b\xff\xff\xff\x7f",
        b"\x80\x02" + b"]q\x00" + b"(h\x00" * 5 + b"t" * 5,
    ],
)
def test_announced_lengths_are_compared_with_the_file(program: bytes, attack) -> None:
    assert attack(program, read_arrays) is None


def test_bytes_by_the_thousand_are_not_made_from_a_number(attack) -> None:
    for name in ("builtins.bytearray", "torch.FloatTensor", "torch.Tensor"):
        program = b"\x80\x02" + named(name) + b"\x8a\x06" + (1 << 40).to_bytes(6, "little") + b"\x85R."
        assert attack(archive(program), read_torch_file) is None, name


def test_a_packed_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/data.pkl", b"\x80\x02}.")
        with file.open("a/data/0", "w") as record:
            for _ in range(128):
                record.write(bytes(1 << 20))
    with pytest.raises(NotPlainData, match="128 MiB, packed into 0.1"):
        read_torch_file(path)


def test_a_file_that_was_packed_again_has_its_own_values(tmp_path: Path) -> None:
    """torch maps packed records as they are, and gives noise for weights."""
    torch.save({"w": torch.arange(64.0)}, tmp_path / "a.pth")
    again = zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(tmp_path / "a.pth") as old, again as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert torch.equal(read_checkpoint(tmp_path / "b.pth").tensors["w"], torch.arange(64.0))


def test_one_value_over_and_over(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1).expand(1 << 30)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="4,096 MiB in a file of 0.0 MiB, which are one value over and over"):
        read_checkpoint(tmp_path / "a.pth")
    torch.save({"w": torch.ones(1).expand(1000)}, tmp_path / "b.pth")
    assert read_checkpoint(tmp_path / "b.pth").tensors["w"].sum() == 1000


CHAINS = {
    "lists": b"]" + b"q\x00]h\x00ah\x00a" * 60,
    "tuples, as a key": b"}" + b")" + b"q\x00h\x00\x86" * 60 + b"Ns",
    "dictionaries": b"}" + b"q\x00}K\x01h\x00sK\x02h\x00s" * 60,
    "itself": b"]q\x00h\x00a",
    "state": named("collections.OrderedDict") + b")R" + b"q\x00}" + text("a") + b"h\x00sb",
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("reader", ["torch", "old torch", "arrays"])
def test_what_is_shared_without_a_bound_is_not_made(chain: str, reader: str, tmp_path: Path) -> None:
    """Hashed as a key, or put into a message, sixty levels of pairs would take until the end of days."""
    program = b"\x80\x02" + CHAINS[chain] + b"."
    (tmp_path / "a.pth").write_bytes(archive(program) if reader == "torch" else program)
    read = read_arrays if reader == "arrays" else read_torch_file
    with pytest.raises(pickle.UnpicklingError, match="over and over, or themselves"):
        read(tmp_path / "a.pth")


def test_what_is_shared_as_it_should_be_is_read(tmp_path: Path) -> None:
    pair, names = (1, 2), [f"layer{i}" for i in range(300)]
    content = {
        "names": names,
        "again": [names] * 500,
        "pairs": [pair] * 5000,
        "state_dict": {n: torch.ones(1) for n in names},
    }
    torch.save(content, tmp_path / "a.pth")
    assert read_torch_file(tmp_path / "a.pth") == content


def test_a_length_that_an_old_file_has_not_takes_no_memory(attack) -> None:
    """Found by the fuzz: Python's own look through a pickle takes what is announced before it reads."""
    for length in (
        b"\x96" + struct.pack("<Q", 1 << 40),
        b"X" + struct.pack("<I", 0xFFFFFFF0),
        b"\x8b" + struct.pack("<i", 1 << 30),
    ):
        assert attack(b"\x80\x02" + length + b"abc.", read_torch_file) is None


def test_sizes_beyond_what_can_be_addressed(attack) -> None:
    new = named("numpy.core.multiarray._reconstruct") + named("numpy.ndarray") + b"K\x00\x85" + text("b") + b"\x87R"
    raw = named("_codecs.encode") + text("") + text("latin1") + b"\x86R"
    for shape in ((1 << 62, 4), (1 << 32, 1 << 32, 1 << 32), (-1,), (1 << 60,), (0, 1 << 62, 1 << 62)):
        sides = b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", side) for side in shape) + b"t"
        program = b"\x80\x02" + new + b"(K\x01" + sides + DTYPE + b"\x89" + raw + b"tb."
        found = attack(archive(program), read_torch_file)
        assert found is None or found.nbytes == 0, shape


INSTRUCTIONS = b"()]}NK\x8a\x85\x86\x87RbQ\x81asute.q\x00h\x00\x88\x89X0" + bytes(range(256))


def mutated(content: bytes, chance: random.Random) -> bytes:
    content = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(content))
        how = chance.randrange(4)
        if how == 0:
            content[at] = chance.choice(INSTRUCTIONS)
        elif how == 1:
            content[at:at] = bytes(chance.choice(INSTRUCTIONS) for _ in range(chance.randint(1, 6)))
        elif how == 2:
            del content[at : at + chance.randint(1, 6)]
        else:
            name = chance.choice(ADMITTED + FOREIGN)
            content[at:at] = named(name) + chance.choice([b"", b")R", b")\x81", b"}b", b"N\x85R"])
    return bytes(content)


@pytest.mark.parametrize("kind", ["torch", "old torch", "arrays", "safetensors", "mxnet", "npz"])
def test_fuzz(kind: str, attack, marker: Path, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Files with changed bytes and names, for as long as --fuzz-seconds says: read as data, or refused."""
    content, reader = good_file(kind, tmp_path)
    attack(content, reader)
    seed = 0 if pytestconfig.getoption("--fuzz-seconds") < 10 else time.time_ns()
    chance, end, count = random.Random(seed), time.monotonic() + pytestconfig.getoption("--fuzz-seconds"), 0
    program, storage = None, b""
    if kind == "torch":
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            name = next(name for name in file.namelist() if name.endswith("data.pkl"))
            program, storage = file.read(name), file.read(name.replace("data.pkl", "data/0"))
    while time.monotonic() < end or count < 30:
        count += 1
        changed = archive(mutated(program, chance), storage) if program and count % 4 else mutated(content, chance)
        try:
            found = attack(changed, reader)
        except BaseException:
            print(f"seed {seed}, file {count}: {changed[:2000]!r}")
            raise
        assert plain(found, set()), (seed, count)


def good_file(kind: str, folder: Path) -> tuple[bytes, Callable[[Path], Any]]:
    path = folder / "good"
    log = {"state_dict": {"w": torch.ones(2, 2)}, "hub": {"loss": HistoryBuffer([1.0], [1])}, "best": np.float64(1)}
    if kind.endswith("torch"):
        torch.save(log | {"meta": {"epoch": 1}}, path, _use_new_zipfile_serialization=kind == "torch")
        return path.read_bytes(), read_torch_file
    if kind == "arrays":
        return pickle.dumps({"model": {"w": np.ones((2, 2)), "n": np.float32(1)}}, protocol=2), read_arrays
    if kind == "safetensors":
        return save_tensors({"w": torch.ones(2)}, {"mmdetpre_backbone": "{}"}), read_tensors
    if kind == "npz":
        np.savez(path.with_suffix(".npz"), a=np.ones(3), b=np.array(["x"]))
        return path.with_suffix(".npz").read_bytes(), load_npz
    array = struct.pack("<IiIqiii2f", 0xF993FAC9, 0, 1, 2, 1, 0, 0, 1, 2)
    return struct.pack("<QQQ", 0x112, 0, 1) + array + struct.pack("<QQ", 1, 1) + b"w", read_tensors


def test_the_trap_works(tmp_path: Path) -> None:
    """What the attacks above do where nobody stops them."""
    pickle.loads(b"\x80\x02" + named("os.system") + text(f"touch {tmp_path / 'unguarded'}") + b"\x85R.")
    assert (tmp_path / "unguarded").exists()
