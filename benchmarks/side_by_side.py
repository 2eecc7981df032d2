"""What every benchmark shares: rows of the table, measuring in turn, a process of its own, the command line.

A benchmark is a script with a function ``rows(args)`` that yields :class:`Row` objects, and ends with ``run(...)``. It
can be started alone; ``bench.py`` starts all of them and makes one table. Nothing here is a test: a row that misses its
target says so and why, and the script still ends with 0.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeVar

from mmdetpre.utils.tables import markdown_table, text_table

# One thread per library unless the caller says otherwise: what is compared is code, not how many cores it takes.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Args:
        what: What is measured, and its size: ``"merge 3 scales x 300 regions, 80 classes, soft-NMS"``.
        unit: Of ``ours``, ``theirs`` and ``limit``. One that ends in ``/s`` is a rate: more is better. Of all others
            less is better.
        ours: Median of several runs.
        theirs: The alternative's, measured in turn with ours unless ``against`` says otherwise.
        against: What the alternative is.
        limit: The physical limit in the same unit, where there is one.
        limit_is: What sets it: ``"decoding the JPEG alone"``.
        gain: The least number of times that ours has to be better than the alternative.
        bound: The worst value of ``ours`` that is good enough, in its unit.
        reason: Why a target is missed. Shown only if it is.
    """

    what: str
    unit: str
    ours: float
    theirs: float | None = None
    against: str = ""
    limit: float | None = None
    limit_is: str = ""
    gain: float | None = None
    bound: float | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        values = [value for value in (self.ours, self.theirs, self.limit) if value is not None]
        if not all(math.isfinite(value) and value >= 0 for value in values):
            raise ValueError(f"{self.what}: measured values must be finite and not negative, got {values}")
        if (self.theirs is None) != (not self.against) or (self.limit is None) != (not self.limit_is):
            raise ValueError(f"{self.what}: an alternative and a limit have a value and a name, or neither")

    @property
    def is_rate(self) -> bool:
        return self.unit.endswith("/s")

    def times_better(self, other: float | None) -> float | None:
        """How many times ours is better than ``other``; below 1 it is worse."""
        if other is None:
            return None
        better, worse = (self.ours, other) if self.is_rate else (other, self.ours)
        return better / worse if worse else None

    @property
    def ratio(self) -> float | None:
        """How many times ours is better than the alternative."""
        return self.times_better(self.theirs)

    @property
    def of_limit(self) -> float | None:
        """Which part of the physical limit ours reaches: at most 1, but for noise."""
        return self.times_better(self.limit)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; ``None`` without one."""
        checks = []
        if self.gain is not None:
            checks.append((self.ratio or 0) >= self.gain)
        if self.bound is not None:
            checks.append(self.ours >= self.bound if self.is_rate else self.ours <= self.bound)
        return all(checks) if checks else None

    @property
    def target(self) -> str:
        """The target in words."""
        parts = []
        if self.gain is not None:
            parts.append(f"{self.gain:.3g} x")
        if self.bound is not None:
            parts.append(f"{'>=' if self.is_rate else '<='} {self.bound:,.3g}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Timing:
    """Times of one of several ways, in seconds, and what its last run returned."""

    seconds: tuple[float, ...]
    result: Any

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def in_turn(
    ways: Mapping[str, Callable[[], Any]],
    repeats: int = 5,
    *,
    seconds: float = 0.0,
    clock: Literal["wall", "cpu"] = "wall",
    warm_up: bool = True,
) -> dict[str, Timing]:
    """Run every way once per round, so that whatever else the machine does falls on all of them.

    Args:
        ways: Name -> work.
        repeats: Least number of rounds.
        seconds: Rounds go on until each way has taken this long in all (at most 1,000 rounds).
        clock: ``"wall"``, or processor time of this process with all its threads.
        warm_up: Run each way once before, untimed: compilers, caches.
    """
    now = time.perf_counter if clock == "wall" else time.process_time
    times: dict[str, list[float]] = {name: [] for name in ways}
    results: dict[str, Any] = {}
    if warm_up:
        for work in ways.values():
            work()
    rounds = 0
    while rounds < repeats or (rounds < 1000 and min(map(sum, times.values())) < seconds):
        for name, work in ways.items():
            began = now()
            results[name] = work()
            times[name].append(now() - began)
        rounds += 1
    return {name: Timing(tuple(values), results[name]) for name, values in times.items()}


def status_megabytes(field: str) -> float:
    """A figure of this process in megabytes (Linux): ``VmRSS``, memory now, or ``VmHWM``, its peak."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[field].split()[0]) / 1024


def private_megabytes() -> float:
    """Memory that only this process has written to (Linux)."""
    lines = dict(line.split()[:2] for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return int(lines["Private_Dirty:"]) / 1024


def alone(work: Callable[..., T], *args: Any) -> T:
    """The result of a function of a module, run in a new process, so that its memory and threads are its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def memory_of(work: Callable[[], T]) -> tuple[T, float, float]:
    """Result, megabytes kept and megabytes at the peak that ``work`` adds to this process (Linux).

    Call it in a process of its own (:func:`alone`), or what was freed before is used again and not counted.
    """
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted afresh
    kept, before = private_megabytes(), status_megabytes("VmRSS")
    result = work()
    peak = status_megabytes("VmHWM") - before
    gc.collect()
    return result, max(private_megabytes() - kept, 0.0), max(peak, 0.0)


def number(value: float | None) -> str:
    """Three digits, no exponent: 0.0123, 1.23, 123, 12,300."""
    if value is None:
        return ""
    if not math.isfinite(value) or value == 0:
        return f"{value:.0f}"
    digits = max(2 - math.floor(math.log10(abs(value))), 0)
    return f"{round(value, digits if value < 100 else 0):,.{min(digits, 6)}f}"


HEADINGS = ("what", "unit", "ours", "alternative", "ratio", "target", "limit", "of limit", "against; limit")


def cells(row: Row) -> tuple[str, ...]:
    """The row as text, in the order of :data:`HEADINGS`."""
    target = row.target and f"{row.target} {'met' if row.met else 'MISSED'}"
    names = "; ".join(part for part in (row.against, row.limit_is and f"limit: {row.limit_is}") if part)
    share = "" if row.of_limit is None else f"{100 * row.of_limit:.0f} %"
    ratio = row.ratio and f"{number(row.ratio)} x"
    return (
        row.what, row.unit, number(row.ours), number(row.theirs), ratio or "", target, number(row.limit), share, names
    )  # fmt: skip


LEFT = (0, 1, len(HEADINGS) - 1)
"""Columns of texts."""


def text_of(rows: Iterable[Row]) -> str:
    """The rows in columns, and under them why targets are missed."""
    rows = list(rows)
    return "\n".join([text_table(HEADINGS, map(cells, rows), left=LEFT), *missed(rows)])


def markdown_of(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table, and under it why targets are missed."""
    rows = list(rows)
    numbers = set(range(len(HEADINGS))) - set(LEFT)
    reasons = [f"* {line}" for line in missed(rows)]
    return "\n".join([markdown_table(HEADINGS, map(cells, rows), right=numbers), *(["", *reasons] if reasons else [])])


def missed(rows: Iterable[Row]) -> Iterator[str]:
    """One line per row that misses its target."""
    for row in rows:
        if row.met is False:
            yield f"MISSED {row.what}: {row.reason or 'no reason is known: look at it.'}"


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def read_rows(path: Path) -> list[Row]:
    return [Row(**row) for row in json.loads(path.read_text())]


def run(
    description: str | None,
    rows: Callable[[argparse.Namespace], Iterable[Row]],
    arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> int:
    """The command line of a benchmark: measure, print the table, and write the rows to ``--json`` if asked to.

    If a measurement fails or is stopped, those before it are printed and written all the same.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file too")
    args = parser.parse_args()
    found = []
    try:
        for row in rows(args):
            print(f"  {row.what}: {number(row.ours)} {row.unit}", file=sys.stderr, flush=True)
            found.append(row)
    except FileNotFoundError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    finally:
        if found:
            print(text_of(found))
        if args.json:
            write_rows(args.json, found)
    return 0
