"""Bars are drawn on terminals only."""

from __future__ import annotations

import io
import sys

import pytest

from mmdetpre.utils.progress_bar import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "drawn"), [(io.StringIO, False), (Terminal, True)])
def test_a_bar_is_drawn_on_a_terminal_only(
    stream: type[io.StringIO], drawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", errors := stream())
    assert list(progress_bar(range(3), desc="counting")) == [0, 1, 2]
    assert ("counting" in errors.getvalue()) == drawn
    assert list(progress_bar(range(3), desc="hidden", disable=True)) == [0, 1, 2]
    assert "hidden" not in errors.getvalue()
