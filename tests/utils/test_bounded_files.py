from __future__ import annotations

import gc
import io
import json
import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.utils.bounded_files import (
    GIB,
    load_npy,
    load_npz,
    parse_json,
    paused_collector,
    read_bounded,
    read_json,
    read_xml,
)

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "lol">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("xbcdefghi", "bcdefghij", strict=True))
    + "]><annotation><filename>&j;</filename></annotation>"
)


def npy(header: str) -> bytes:
    """A .npy with a header of one's own and 8 bytes of values."""
    text = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(8)


def test_json_of_any_unicode(tmp_path: Path) -> None:
    value = {"name": "Grüße 写真", "list": [1, 2.5, None]}
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        (tmp_path / "a.json").write_text(json.dumps(value, ensure_ascii=False), encoding=encoding)
        assert read_json(tmp_path / "a.json") == value


@pytest.mark.parametrize("text", ["[" * 70 + "]" * 70, '{"a":' * 70 + "1" + "}" * 70, "[" * 10**6])
def test_deep_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="more than 64 deep|not valid JSON"):
        parse_json(text, "a.json")


def test_json_as_deep_as_allowed() -> None:
    assert parse_json("[" * 64 + "]" * 64, "a.json")
    assert parse_json("3", "a.json") == 3
    with pytest.raises(ValueError, match="a.json is not valid JSON.*cut off"):
        parse_json('{"a": [1', "a.json")
    with pytest.raises(ValueError, match="not valid JSON"):
        parse_json("1" * 5000, "a.json")  # Python's bound of digits


def test_size_is_looked_at_first(tmp_path: Path) -> None:
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(1 << 40)  # sparse: takes no space
    with pytest.raises(ValueError, match="1,048,576 MiB; a file of this kind has at most 64"):
        read_json(tmp_path / "a.json")
    with pytest.raises(ValueError, match="at most 16"):
        read_xml(tmp_path / "a.json")


def test_no_more_memory_is_taken_than_the_file_has(tmp_path: Path) -> None:
    """The bound of COCO's JSON is more than a small machine has: its memory was asked for whatever the file had."""
    (tmp_path / "a.json").write_text('{"a": 1}')
    tracemalloc.start()
    try:
        assert read_json(tmp_path / "a.json", most_bytes=8 * GIB) == {"a": 1}
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_the_collector_goes_on_also_after_an_error() -> None:
    with pytest.raises(ValueError, match="not valid JSON"):
        parse_json("{", "a.json")
    assert gc.isenabled()
    gc.disable()
    try:
        with paused_collector():
            pass
        assert not gc.isenabled(), "who switched it off before keeps it so"
    finally:
        gc.enable()


def test_devices_and_pipes_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="a device or a pipe"):
        read_json(tmp_path / "a.json")
    with pytest.raises(IsADirectoryError):
        read_bounded(tmp_path, 10)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "b.json")


def test_xml_is_read_as_by_elementtree(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<a b='1'><c> Grüße &amp; &#169; </c><d/>tail</a>", encoding="utf-8")
    root = read_xml(tmp_path / "a.xml")
    assert (root.tag, root.attrib, root.findtext("c"), root.find("d").tail) == ("a", {"b": "1"}, " Grüße & © ", "tail")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "document type .<!DOCTYPE a"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>', "document type"),
        ('<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>', "document type"),
        ("<a>&x;</a>", "not valid XML"),
        ("<a>" * 100 + "</a>" * 100, "more than 64 deep"),
        ("<a>", "cut off"),
        ("", "not valid XML"),
    ],
)
def test_xml_with_more_than_data_is_refused(text: str, message: str, tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / "a.xml").write_text(text, encoding=encoding)
        with pytest.raises(ValueError, match=message):
            read_xml(tmp_path / "a.xml")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (10**15,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "__import__('os').getcwd()",
        "(" * 60,
    ],
)
def test_arrays_that_announce_more_than_they_hold(header: str, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy(header))
    with pytest.raises(ValueError, match="not a whole file of an array"):
        load_npy(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", npy(header))
    with pytest.raises(ValueError, match="not an archive of arrays"):
        load_npz(tmp_path / "a.npz")


def test_arrays_arrive(tmp_path: Path) -> None:
    values = np.arange(6, dtype=">i4").reshape(2, 3)
    np.save(tmp_path / "a.npy", values)
    assert np.array_equal(load_npy(tmp_path / "a.npy"), values)
    np.savez(tmp_path / "a.npz", values=values, names=np.array(["a", "bc"]), none=np.zeros((0, 4)), one=np.array(1))
    np.savez_compressed(tmp_path / "b.npz", values=values)
    found = load_npz(tmp_path / "a.npz")
    assert np.array_equal(found["values"], values) and found["names"].tolist() == ["a", "bc"]
    assert found["none"].shape == (0, 4) and found["one"] == 1
    assert np.array_equal(load_npz(tmp_path / "b.npz")["values"], values)


def test_pickled_objects_stay_closed(tmp_path: Path, marker_free: Path) -> None:
    trap = _Trap(marker_free)
    np.save(tmp_path / "a.npy", np.array([trap], object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", a=np.array([trap], object))
    (tmp_path / "b.npy").write_bytes(pickle.dumps(trap))
    for path in (tmp_path / "a.npy", tmp_path / "b.npy"):
        with pytest.raises(ValueError, match="not a whole file"):
            load_npy(path)
    with pytest.raises(ValueError, match="objects"):
        load_npz(tmp_path / "a.npz")
    assert not marker_free.exists()


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def marker_free(tmp_path: Path) -> Path:
    return tmp_path / "MARKER"


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        body = io.BytesIO()
        np.save(body, np.zeros(1 << 20))
        archive.writestr("a.npy", body.getvalue())
    assert load_npz(tmp_path / "a.npz", most_bytes=GIB)["a"].shape == (1 << 20,)
    with pytest.raises(ValueError, match="unpacks to 8 MiB, more than 4"):
        load_npz(tmp_path / "a.npz", most_bytes=4 << 20)
