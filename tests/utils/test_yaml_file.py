"""YAML of others: plain values, bounded."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdetpre.study.spec import read_study
from mmdetpre.utils.yaml_file import read_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD = {
    "tags of Python": ("a: !!python/object/apply:os.system ['touch MARKER']", "python/object/apply:os.system"),
    "a tag of another": ("a: !x y", "!x"),
    "billion laughs": (LAUGHS, "more than 20000 in all"),
    "an alias of itself": ("a: &a [*a]", "names what it stands in"),
    "an alias of nothing": ("a: *b", "undefined alias"),
    "a key twice": ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' comes twice"),
    "a key twice, within": ("x: {a: 1, a: 1}", "the key 'a' comes twice"),
    "depth": ("[" * 5000, "settings deep"),
    "depth of blocks": ("".join(" " * i + f"a{i}:\n" for i in range(40)), "settings deep"),
    "a date": ("a: 2026-11-28", "a is of type date: write a text in quotes"),
    "bytes": ("a: !!binary aGk=", "a is of type bytes"),
    "a set": ("a: !!set {b, c}", "a is of type set"),
    "infinity": ("a: {b: [.inf]}", "a.b[0] is inf"),
    "nan": ("a: .nan", "a is nan"),
    "a large number": (f"a: {10**40}", "too large"),
    "a key of numbers": ("1.5: 2", "the key 1.5, which is not text"),
    "a key of lists": ("? [1, 2]\n: 3", "unhashable"),
    "half surrogates": ('a: "\\ud800"', "not valid Unicode"),
    "tabs": ("a:\n\tb: 1", "line 2"),
    "control characters": ("a: \x00", "is not valid YAML"),
    "another encoding": (b"a: \xff\xfa", "is not valid YAML"),
    "two documents": ("a: 1\n---\nb: 2", "is not valid YAML"),
}


@pytest.mark.parametrize("text,why", BAD.values(), ids=BAD)
def test_what_is_not_read(text: str | bytes, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "study.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    began = time.process_time()
    for read in (read_yaml, read_study):
        with pytest.raises(ValueError) as error:
            read(file)
        assert str(file) in str(error.value) and why in str(error.value)
    assert time.process_time() - began < 10 and not (tmp_path / "MARKER").exists()


def test_aliases_and_merges_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\n")
    assert read_yaml(file) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 2}, "c": {"x": 1, "y": 3}}


def test_large_files_and_devices_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: " + b"x" * (1 << 20))
    with pytest.raises(ValueError, match="has at most 1"):
        read_yaml(tmp_path / "a.yaml")
    with pytest.raises(ValueError, match="device"):
        read_yaml(Path("/dev/zero"))


STUDY = """\
name: n
out: o
seeds: [0]
starts: {scratch: {title: from scratch}}
tasks: {t: {kind: classification, config: configs/cls/caltech256_sample.py,
            scratch_config: configs/cls/caltech256_sample.py}}
"""
WRONG = {
    "out: o": ["out: 5", "out: null", "out: [a]", "out: {a: b}", 'out: "a\\nb"', 'out: "{{ a }}"', "out: ''"],
    "seeds: [0]": ["seeds: 0", "seeds: [a]", "seeds: [-1]", "seeds: [0, 0]", "seeds: {}", "seeds: [true]"],
    "title: from scratch": ["title: [a]", "title: {a: b}", 'title: "a\\nb"', "title: a=b", "config: 5",
                            "options: [a]", "options: {1: 2}"],
    "kind: classification": ["kind: [a]", "kind: 5", "kind: classification, options: 3", "kind: classification, tta: 3",
                             "kind: classification, starts: 3", "kind: classification, starts: [x]",
                             "kind: classification, seeds: x", "kind: classification, layers: x",
                             "kind: classification, crop: x", "kind: classification, column: [x]"],
    "name: n": ["name: n\nfigures: 3", "name: n\nfigures: [x]", "name: n\nfigures: [[1]]", "name: n\nlaunch: 3",
                "name: n\nlaunch: {gpus: x}", "name: n\nlaunch: {mim_arguments: 3}", "name: n\nreference: [a]",
                "name: n\nthreads: x", "name: n\ncontrast: x", 'name: "a\\u2028b"', "name: n\nsample_layouts: 3"],
}  # fmt: skip


@pytest.mark.parametrize("old,new", [(old, new) for old, news in WRONG.items() for new in news])
def test_settings_of_another_type_are_named(old: str, new: str, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY)
    assert read_study(file).name == "n"
    assert old in STUDY
    file.write_text(STUDY.replace(old, new, 1))
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        read_study(file)
    assert str(file) in str(error.value)


@settings(max_examples=150)
@given(st.data())
def test_mutations_end_with_a_study_or_a_message(data: Any) -> None:
    import tempfile

    text = STUDY.encode()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        new = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"[", b"{", b"&a ", b"*a", b"!", b"\n", b": ", b"'", b"<<"])
        )
        text = text[:at] + new + text[at + data.draw(st.integers(0, 4)) :]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "study.yaml")
        file.write_bytes(text)
        try:
            read_study(file)
        except (ValueError, FileNotFoundError) as error:
            assert str(file) in str(error)
