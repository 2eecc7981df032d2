"""A study that an earlier version made: its file is read, its runs are recognized as finished, its report is written.

``earlier_study.json`` holds its files, ``@HERE@`` standing for the folder that it was made in.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from mmdetpre.study.plan import make_plan, write_plan
from mmdetpre.study.records import DONE, read_outcome
from mmdetpre.study.report.write import write_report
from mmdetpre.study.spec import read_study
from mmdetpre.study.workflow import run_study


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of its results, in the current folder."""
    files = json.loads(Path(__file__).with_name("earlier_study.json").read_text())
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("@HERE@", str(tmp_path)))
        time = 1_000_000_001 if "records" in name else 1_000_000_000  # records are newer than what they are made of
        os.utime(path, (time, time))
    monkeypatch.chdir(tmp_path)
    return Path("out")


def test_its_words_are_read_with_one_warning(out: Path) -> None:
    with pytest.warns(FutureWarning) as warned:
        study = read_study("study.yaml")
    (message,) = [str(warning.message) for warning in warned]
    assert message.startswith("study.yaml: `starts` is now `inits`, `per: start` is now `per: init`, `{start}` is now")
    assert list(study.inits) == ["scratch", "coco", "own"] and study.tasks["det"].inits == ("coco", "own")
    assert study.tasks["det"].configs["own"].path == Path("detector_of_own.py").resolve()
    proposals = study.tasks["det"].proposals
    assert proposals is not None and proposals.per == "init"


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_not_a_byte_of_its_plan_changes(out: Path) -> None:
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    study = read_study("study.yaml")
    write_plan(study, make_plan(study))
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.skipif(sys.version_info < (3, 11), reason="Snakemake 9 needs Python 3.11")
def test_nothing_is_run_again(out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_study("study.yaml", cores=1, dry_run=True) == 0
    said = capfd.readouterr()
    assert "Nothing to be done" in said.out + said.err


def test_its_records_fill_the_report(out: Path) -> None:
    assert {run.state for run in read_outcome(out).runs.values()} == {DONE}
    write_report(out)
    tables = (out / "report/tables.md").read_text()
    assert "| COCO | 45.0 ± 1.4 (2 seeds) | −4.0 [−10.1, 2.1] |" in tables
    assert "| my weights | 50.5 [40.2, 60.8] |" in tables
    report = json.loads((out / "report/report.json").read_text())
    assert report["starts"] == {"scratch": "from scratch", "coco": "COCO", "own": "my weights"}
    assert report["runs"]["det/own/seed1"]["start"] == "own"
