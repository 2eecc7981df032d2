"""Results of a study as a part of another page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmdetpre.study.report.contents import read_report
from mmdetpre.study.report.markdown import markdown, own_results


def test_answers_and_the_tables_that_have_numbers(shared_study) -> None:
    report = read_report(shared_study.out)
    text, whole = own_results(report), markdown(report)
    titles = [line for line in text.splitlines() if line.startswith("**")]
    assert titles and all(line in whole for line in text.splitlines())
    assert "64.0" in text and "it helps" in text
    assert "**Table 1**" not in text and "The tables that follow are the paper's alone" not in text
    assert len(titles) < sum(line.startswith("**") for line in whole.splitlines())


def test_a_study_without_numbers(empty_study) -> None:
    with pytest.raises(ValueError, match="no numbers yet: run it first, mmdetpre study run"):
        own_results(read_report(empty_study.out))


def test_a_model_card_shows_them(
    shared_study, empty_study, tmp_path: Path, repository: Path, run_tool_here: Callable
) -> None:
    torch.save({"net.a.weight": torch.ones(2, 2)}, tmp_path / "a.pth")
    line = [repository / "tools/model_converters/export_backbone.py", tmp_path / "a.pth", tmp_path / "out/"]
    line += ["--prefix", "net", "--study"]
    none = run_tool_here(*line, empty_study.out)
    assert none.returncode == 1 and "no numbers yet" in none.stderr and not (tmp_path / "out").exists()
    done = run_tool_here(*line, shared_study.out)
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert own_results(read_report(shared_study.out)) in card.partition("## Results")[2]
