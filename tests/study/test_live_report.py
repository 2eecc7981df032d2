"""The page of a study that runs: written after runs, seldom, whole, and never a reason to fail."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mmdetpre.study import live_report
from mmdetpre.study.live_report import LiveReport
from mmdetpre.study.report.write import write_report


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Arguments of each report that is written."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(live_report, "write_report", lambda *given, running: calls.append((*given, running)))
    return calls


def test_a_score_that_comes_soon_after_a_page_is_shown_later(
    written: list, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(live_report, "LEAST", 0.05)
    live = LiveReport(tmp_path, "paper.json", False, parallel=2)
    live.update()
    assert written == [(tmp_path, "paper.json", False, 2)]
    live.update()
    live.update()
    assert len(written) == 1
    waited = threading.Event()
    while len(written) < 2 and not waited.wait(0.02):
        pass
    assert len(written) == 2, "two runs, one page"
    live.close()
    live.update()
    assert len(written) == 2


def test_pages_that_take_long_are_few(written: list, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = iter([0.0, 100.0, 103.0, 103.0])  # may it? it begins, it ends, the next wants to
    monkeypatch.setattr(live_report, "time", type("Clock", (), {"monotonic": lambda: next(now)}))
    live = LiveReport(tmp_path)
    live.update()
    assert live._next == 103 + 20 * 3
    live.update()
    assert len(written) == 1
    live.close()


def test_a_page_that_cannot_be_written_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    errors = io.StringIO()
    monkeypatch.setattr(live_report, "LEAST", 0.0)
    live = LiveReport(tmp_path / "none", errors=errors)
    live.update()
    time.sleep(0.02)
    live._next = 0.0
    live.update()
    assert errors.getvalue().count("the report is not written while the study runs: There is no ") == 1
    live.close()


def test_the_page_follows_the_study_while_it_runs(fake_study: Any) -> None:
    path = write_report(fake_study.out, running=2)
    page, tables = path.read_text(), (path.parent / "tables.md").read_text()
    assert '<meta http-equiv="refresh" content="60">' in page and "this page follows it" in page
    after = write_report(fake_study.out).read_text()
    assert 'http-equiv="refresh"' not in after and "this page follows it" not in after
    assert (path.parent / "tables.md").read_text() == tables
