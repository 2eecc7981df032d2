"""What a run leaves for its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdetpre.results.run_table import TrainingRun
from mmdetpre.study.records import Cell, Part
from mmdetpre.utils.bounded_files import file_sha256
from mmdetpre.utils.results import Json, Result


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint and the SHA-256 of its file."""

    file: str
    sha256: str


@dataclass(frozen=True)
class BackboneLoad:
    """How a backbone was loaded: the verdict, the digest of what was loaded, and where from."""

    verdict: str
    digest: str | None
    source: str | None


@dataclass(frozen=True)
class FigureFiles:
    """A figure: its files below the study's folder, and what the report says of it."""

    number: str
    title: str
    caption: str
    image: str
    data: str | None


@dataclass(frozen=True)
class RunResult(Result):
    """What a run gave.

    Attributes:
        checkpoint: What was trained or tested.
        load: Of the backbone.
        cells: Numbers for the tables.
        figure: What was drawn.
        notes: What a reader of the report should know.
        parts: Numbers by class and by size.
    """

    checkpoint: CheckpointFile | None = None
    load: BackboneLoad | None = None
    cells: tuple[Cell, ...] = ()
    figure: FigureFiles | None = None
    notes: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()

    @classmethod
    def of_training(
        cls,
        checkpoint: Path,
        run: TrainingRun,
        cells: Sequence[Cell] = (),
        notes: Sequence[str] = (),
        parts: Sequence[Part] = (),
    ) -> RunResult:
        """The result of a run that trained or tested.

        Args:
            checkpoint: The checkpoint that was trained or tested.
            run: What was read from the run.
            cells: Values for the tables of the report.
            notes: What the reader of the report should know.
            parts: Values by class and by size.
        """
        load = BackboneLoad(run.verdict, run.digest, run.backbone) if run.verdict else None
        file = CheckpointFile(str(checkpoint), file_sha256(checkpoint))
        return cls(file, load, tuple(cells), None, tuple(notes), tuple(parts))

    def to_dict(self) -> dict[str, Json]:
        """Plain values; a cell has a ``group`` only in tables that have groups, resamples only where it has some."""
        return {**super().to_dict(), "cells": _numbers(self.cells), "parts": _numbers(self.parts)}


def _numbers(values: Sequence[Cell | Part]) -> list[Json]:
    shown = ({**vars(one), "resampled": one.resampled and dict(vars(one.resampled))} for one in values)
    return [{k: v for k, v in one.items() if v or k not in ("group", "resampled")} for one in shown]
