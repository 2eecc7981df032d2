from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmdetpre.transfer import CheckpointError, KeyMapError, map_names, read_checkpoint
from mmdetpre.transfer.mxnet_params import MXNetParamsError, read_mxnet_params

FLAGS = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}
MAGIC = {1: 0xF993FAC8, 2: 0xF993FAC9, 3: 0xF993FACA}


def array_bytes(
    array: np.ndarray, version: int = 2, storage: int = 0, flag: int | None = None, device: tuple[int, int] = (2, 7)
) -> bytes:
    """One array; ``version=0`` is the first layout, without a magic number."""
    head = b"" if version == 0 else struct.pack("<I", MAGIC[version])
    if version >= 2:
        head += struct.pack("<i", storage)
    sides = struct.pack(f"<I{array.ndim}{'I' if version == 0 else 'q'}", array.ndim, *array.shape)
    flag = FLAGS[array.dtype.name] if flag is None else flag
    return head + sides + struct.pack("<iii", *device, flag) + array.astype(array.dtype.newbyteorder("<")).tobytes()


def list_bytes(arrays: list[bytes], names: list[str], magic: int = 0x112) -> bytes:
    """The whole file around arrays that are written already."""
    text = b"".join(struct.pack("<Q", len(name.encode())) + name.encode() for name in names)
    return struct.pack("<QQQ", magic, 0, len(arrays)) + b"".join(arrays) + struct.pack("<Q", len(names)) + text


def params_bytes(arrays: Mapping[str, np.ndarray], version: int = 2, device: tuple[int, int] = (2, 7)) -> bytes:
    """A file of named arrays."""
    return list_bytes([array_bytes(array, version, device=device) for array in arrays.values()], list(arrays))


ONE = np.arange(6, dtype=np.float32).reshape(2, 3)
NAME = "arg:stage1_unit1_conv1_weight"


def read(content: bytes, tmp_path: Path) -> dict[str, np.ndarray]:
    (tmp_path / "a.params").write_bytes(content)
    return read_mxnet_params(tmp_path / "a.params")


def test_bytes_written_out_by_hand(tmp_path: Path) -> None:
    content = bytes.fromhex(
        "12010000 00000000 00000000 00000000 01000000 00000000"  # list, reserved, one array
        "c9fa93f9 00000000 02000000 01000000 00000000 02000000 00000000"  # version 2, dense, 2 sides: 1 and 2
        "01000000 00000000 00000000 0000803f 000000c0"  # device, float32, 1 and -2
        "01000000 00000000 05000000 00000000"  # one name of 5 letters
    )
    found = read(content + b"aux:m", tmp_path)
    assert list(found) == ["aux:m"] and found["aux:m"].tolist() == [[1.0, -2.0]]


def test_bytes_that_mxnet_1_9_1_wrote(tmp_path: Path) -> None:
    content = bytes.fromhex(
        "120100000000000000000000000000000200000000000000c9fa93f9000000000200000001000000000000000300000000000000"
        "0100000000000000000000000000803f000000c00000003fc9fa93f9000000000100000002000000000000000100000000000000"
        "0200000000420044020000000000000005000000000000006172673a6105000000000000006175783a62"
    )
    found = read(content, tmp_path)
    assert found["arg:a"].tolist() == [[1.0, -2.0, 0.5]] and found["arg:a"].dtype == np.float32
    assert found["aux:b"].tolist() == [3.0, 4.0] and found["aux:b"].dtype == np.float16
    assert params_bytes({"arg:a": found["arg:a"], "aux:b": found["aux:b"]}, device=(1, 0)) == content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    arrays=st.dictionaries(
        st.text(min_size=1, max_size=12),
        st.sampled_from(sorted(FLAGS)).flatmap(
            lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
        ),
        max_size=4,
    ),
    version=st.sampled_from([0, 1, 2, 3]),
)
def test_every_version_and_type_comes_back_to_the_bit(arrays: dict, version: int, tmp_path: Path) -> None:
    found = read(params_bytes(arrays, version), tmp_path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_versions_mixed_in_one_file_and_a_scalar(tmp_path: Path) -> None:
    parts = [array_bytes(ONE, version) for version in (0, 1, 2, 3)] + [array_bytes(np.float32(5).reshape(()), 3)]
    found = read(list_bytes(parts, list("abcde")), tmp_path)
    assert all(np.array_equal(found[name], ONE) for name in "abcd") and found["e"] == 5


@settings(deadline=None)
@given(data=st.data())
def test_a_file_cut_off_anywhere_is_an_error_of_the_reader(tmp_path_factory: pytest.TempPathFactory, data) -> None:
    whole = params_bytes({"arg:a": ONE, "aux:b": np.ones(3, np.float16)})
    cut = data.draw(st.integers(8, len(whole) - 1))
    with pytest.raises(MXNetParamsError, match="cut off or damaged"):
        read(whole[:cut], tmp_path_factory.mktemp("cut"))


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damaged_bytes_never_end_in_another_error(tmp_path_factory: pytest.TempPathFactory, data) -> None:
    content = bytearray(params_bytes({"arg:a": ONE, "aux:b": np.ones(3, np.float16)}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(content), tmp_path_factory.mktemp("damaged"))
    except MXNetParamsError:
        return
    assert len(found) == 2


HUGE = struct.pack("<Ii", 0xF993FAC9, 0) + struct.pack("<Iqq", 2, 2**40, 2**40) + struct.pack("<iii", 1, 0, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with b''"),
        (b"\x80\x02" + bytes(30), "not an MXNet .params file"),
        (list_bytes([array_bytes(ONE)], ["a"], magic=0x113), "not an MXNet .params file: it begins with"),
        (list_bytes([array_bytes(ONE, storage=1)], ["a"]), r"array 0 has sparse storage \(row-sparse\)"),
        (list_bytes([array_bytes(ONE), array_bytes(ONE, storage=2)], ["a", "b"]), "array 1 has sparse.*compressed"),
        (list_bytes([array_bytes(ONE, flag=12)], ["a"]), "values of type 12"),
        (list_bytes([b"\xcb" + array_bytes(ONE)[1:]], ["a"]), "begins with 0xf993facb"),
        (list_bytes([array_bytes(np.ones(()), 2)], ["a"]), "array 0 is empty"),
        (list_bytes([HUGE], ["a"]), "array 0 needs 4835703278458516698824704 bytes"),
        (struct.pack("<QQQ", 0x112, 0, 2**60), "announces 1152921504606846976 arrays"),
        (list_bytes([array_bytes(ONE)], []), "1 arrays but 0 names"),
        (list_bytes([array_bytes(ONE)] * 2, ["a", "a"]), "'a' more than once"),
        (params_bytes({"a": ONE}) + b"more", "4 bytes follow"),
        (params_bytes({"a": ONE})[:-1] + b"\xff", "name 0 is not text"),
    ],
)
def test_bad_files(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(MXNetParamsError, match=message):
        read(content, tmp_path)


@pytest.mark.parametrize("shape", [(-3,), (0, 2**62, 2**62)])
def test_impossible_shapes(shape: tuple[int, ...], tmp_path: Path) -> None:
    head = struct.pack(f"<IiI{len(shape)}q", 0xF993FAC9, 0, len(shape), *shape)
    with pytest.raises(MXNetParamsError, match="damaged: array 0 has the shape"):
        read(list_bytes([head + struct.pack("<iii", 1, 0, 0)], ["a"]), tmp_path)


def test_the_common_reader_knows_the_file_and_says_how_to_convert_it(tmp_path: Path) -> None:
    (tmp_path / "a.params").write_bytes(params_bytes({NAME: ONE}))
    found = read_checkpoint(tmp_path / "a.params")
    assert found.kind == "mxnet" and torch.equal(found.tensors[NAME], torch.from_numpy(ONE))
    with pytest.raises(KeyMapError, match="import_checkpoint.py"):
        map_names(found.tensors)
    (tmp_path / "a.params").write_bytes(params_bytes({NAME: ONE})[:70])
    with pytest.raises(CheckpointError, match="a.params cannot be read as an MXNet .params file: it is cut off"):
        read_checkpoint(tmp_path / "a.params")
