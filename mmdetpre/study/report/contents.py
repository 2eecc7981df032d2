"""What the report of a study says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmdetpre.paper.tables import INITS, TABLES, PaperTable, with_figures
from mmdetpre.study.kinds import task_kinds
from mmdetpre.study.records import Outcome, read_outcome
from mmdetpre.study.report.conclusions import Answer, answers
from mmdetpre.study.report.config_table import ConfigTable, config_tables
from mmdetpre.study.report.data_sizes import DataSize, data_sizes
from mmdetpre.study.report.figures import Figure, figures
from mmdetpre.study.report.gains import GainTable, gain_tables
from mmdetpre.study.report.label_curves import LabelCurve, label_curves
from mmdetpre.study.report.pretraining_size import size_sentences
from mmdetpre.study.report.result_tables import ResultTable, result_tables


@dataclass(frozen=True)
class Report:
    """All that the report says.

    Attributes:
        outcome: What the study left.
        answers: One per task.
        sizes: Table 1.
        tables: Tables 2 to 7, the fine-tuning on COCO, then the pre-training runs' own scores.
        figures: All figures.
        size: What the size of the pre-training data does.
        curves: Scores over the part of the labels, where a task has several.
        gains: By size and by class.
        configs: What differs between the trainings of a task.
    """

    outcome: Outcome
    answers: list[Answer]
    sizes: list[DataSize]
    tables: list[ResultTable]
    figures: list[Figure]
    size: list[str]
    curves: list[LabelCurve]
    gains: list[GainTable]
    configs: list[ConfigTable]


def read_report(out: str | Path, paper: str | Path | None = None, photos: bool = True) -> Report:
    """Read the folder of a study and work out what it says.

    Args:
        out: The folder.
        paper: JSON file with figures of the paper, as :func:`~mmdetpre.paper.tables.with_figures` takes it.
        photos: Whether to show figures with photos of the data; never where the study's file says ``photos: false``.

    Raises:
        FileNotFoundError: If there is no study in the folder, or no such file.
        ValueError: If the plan of the study or the file of figures is damaged.
    """
    papers = dict(with_figures(paper) if paper else TABLES)
    for kind in task_kinds().values():  # in no table of the paper
        papers.setdefault(kind.table, PaperTable(kind.form or f"{kind.title}, in %", INITS, {}))
    outcome = read_outcome(out)
    tables = result_tables(outcome, papers)
    sizes, size = data_sizes(outcome), size_sentences(outcome, tables)
    curves, gains = label_curves(outcome, tables), gain_tables(outcome)
    told, configs = answers(outcome, tables), config_tables(outcome)
    pictures = figures(outcome, photos and outcome.plan.get("photos") is not False)
    return Report(outcome, told, sizes, tables, pictures, size, curves, gains, configs)
