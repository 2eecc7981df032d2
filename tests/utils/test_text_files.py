from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.utils import text_files
from mmdetpre.utils.text_files import decode_text, read_lines, read_text

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")), st.sampled_from(ENCODINGS))
def test_texts_come_back(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding), "a.txt") == text


@given(st.binary(max_size=60))
def test_any_bytes_are_a_text_or_named(data: bytes) -> None:
    try:
        assert isinstance(decode_text(data, "a.txt"), str)
    except ValueError as error:
        assert str(error).startswith("a.txt, line ")


def test_lines_end_as_systems_end_them_and_with_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("a\x0bb\r\n\r\nc\u2028d\re\n".encode())
    assert [(line.number, line.text) for line in read_lines(tmp_path / "a.txt")] == [
        (1, "a\x0bb"),
        (3, "c\u2028d"),
        (4, "e"),
    ]


def test_a_huge_file_is_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "MOST_BYTES", 3)
    (tmp_path / "a.txt").write_text("abcd")
    with pytest.raises(ValueError, match="more than 0 MiB: expected a list"):
        read_text(tmp_path / "a.txt", "a list")
