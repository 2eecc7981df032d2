"""What a study says when a run is done."""

from __future__ import annotations

from pathlib import Path

from mmdetpre.study.progress import progress_line, time_left
from mmdetpre.study.records import DONE, FAILED, NOT_RUN, Cell, Outcome, Run


def run(name: str, state: str = NOT_RUN, seconds: float | None = None, *cells: Cell, **content: object) -> Run:
    timed = content if seconds is None else content | {"seconds": seconds}
    return Run(name, name.split("/")[0], "coco", 0, state=state, cells=cells, content=timed)


def outcome(*runs: Run) -> Outcome:
    kinds = {"voc": "detection", "coco": "detection", "seg": "segmentation", "figures": "figure"}
    plan = {"runs": {one.id: {"kind": kinds[one.task]} for one in runs}}
    return Outcome(Path("out"), plan, {}, {}, {one.id: one for one in runs}, [], [])


def cell(column: str, value: float | None, group: str = "") -> Cell:
    return Cell("2", group, "conv5", column, value, None, None)


def test_scores_seconds_and_time_left() -> None:
    found = outcome(run("voc/a", DONE, 90, cell("ap50", 45.25), cell("ap70", 20.0)), run("voc/b"), run("voc/c"))
    assert (
        progress_line(found, "voc/a")
        == "study: 1 of 3 done, voc/a: ap50 45.2, ap70 20.0 (1:30 min); about 3:00 min left"
    )
    assert progress_line(found, "voc/a", parallel=2).endswith("about 1:30 min left")
    assert progress_line(found, "voc/a", parallel=8).endswith("about 1:30 min left"), (
        "no run is faster for its neighbours"
    )


def test_the_seconds_are_those_of_the_same_task_then_of_the_same_kind() -> None:
    runs = [run("voc/a", DONE, 10), run("coco/a", DONE, 50), run("coco/b", DONE, 70)]
    assert time_left(outcome(*runs, run("coco/c"))) == "about 1:00 min left"
    assert time_left(outcome(*runs[1:], run("voc/b"))) == "about 1:00 min left"


def test_what_was_not_timed_is_not_guessed() -> None:
    found = outcome(run("voc/a", DONE, 30), run("voc/b"), run("seg/a"), run("seg/b"))
    assert time_left(found) == "more than 30 s left (2 runs are of kinds that were not timed yet)"
    assert time_left(outcome(run("voc/a", DONE, 30), run("seg/a"))) == "1 left, none of their kind was timed yet"


def test_the_last_run_failures_figures_and_many_scores() -> None:
    many = [cell(f"c{k}", float(k)) for k in range(6)]
    found = outcome(
        run("voc/a", DONE, 3, *many), run("voc/b", FAILED, 2), run("figures/4", DONE, 5, figure={"number": "4"})
    )
    text = progress_line(found, "voc/a")
    assert text == "study: 2 of 3 done, 1 failed, voc/a: c0 0.0, c1 1.0, c2 2.0, c3 3.0 and 2 more (3 s)"
    assert progress_line(found, "figures/4").endswith("figures/4: figure 4 (5 s)")
    nothing = outcome(run("voc/a", DONE, 3, cell("missed", None)), run("voc/b"))
    assert "voc/a: done (3 s)" in progress_line(nothing, "voc/a"), "a score that was not measured is not made up"
    named = outcome(run("voc/a", DONE, 3, cell("birds", 50.0, group="coco")))
    assert "conv5 birds 50.0" in progress_line(named, "voc/a"), "layers have rows of their own"


def test_steps_that_were_timed_before_the_study_stand_in_for_runs() -> None:
    found = outcome(run("seg/a", DONE, 30), run("seg/b"), run("voc/a"), run("coco/a"))
    found.seconds.update({"seg/b": 500.0, "voc/a": 90.0})
    assert time_left(found) == "more than 2:00 min left (1 runs are of kinds that were not timed yet)"
