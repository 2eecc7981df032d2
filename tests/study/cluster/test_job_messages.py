"""What is said of runs on a cluster: once each, with Slurm's own reason, and with a failure in the study's folder."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from enum import Enum
from pathlib import Path

import pytest

from mmdetpre.study.cluster.job_messages import JobMessages
from mmdetpre.study.records import read_outcome

ADVICE = "For further error details see the cluster/cloud log and the log files of the involved rule(s)."
Event = Enum("Event", ["JOB_INFO", "JOB_FINISHED", "JOB_ERROR"])


@pytest.fixture
def cluster(empty_study):
    """The messages of Snakemake about three runs, and what is printed."""
    for number in (0, 1, 2):
        empty_study.planned(f"own_det/coco/seed{number}", "own_det", "coco", number)
    stream = io.StringIO()
    handler = JobMessages(empty_study.out, 2, stream)

    def send(text: str = "", **extra: object) -> None:
        record = logging.LogRecord("snakemake", logging.INFO, "", 0, text, None, None)
        record.__dict__.update(extra)
        handler.emit(record)

    for number in (0, 1, 2):
        send(event=Event.JOB_INFO, jobid=number + 1, wildcards={"run": f"own_det/coco/seed{number}"})
    return empty_study, send, stream


def error(send: Callable, job: int, message: str, *logs: Path) -> None:
    send(event=Event.JOB_ERROR, jobid=job, rule_msg=message + ADVICE, log=[str(log) for log in logs])


def test_a_run_from_the_queue_to_its_scores(cluster) -> None:
    study, send, stream = cluster
    send("Job 2 has been submitted with SLURM jobid 77 (log: /x/77.log).")
    study.record("own_det/coco/seed1", {("2", "coco", "own_det.ap50"): 61.25})
    send(event=Event.JOB_FINISHED, job_id=2)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "study: own_det/coco/seed1 is in the queue: Slurm job 77"
    assert lines[1].startswith("study: 1 of 3 done, own_det/coco/seed1: own_det.ap50 61.2 (")


def test_what_slurm_does_not_take_is_said_once(cluster) -> None:
    study, send, stream = cluster
    refused = "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: x"
    for job in (1, 2, 3):
        error(
            send,
            job,
            f"SLURM sbatch failed. The error message was '{refused}'.\n    sbatch call:\n        sbatch ...\n",
        )
    said = stream.getvalue()
    assert said.count("invalid partition specified: nope") == 1 and said.count("failed in the same way") == 2
    assert (
        "own_det/coco/seed0 failed: Slurm did not take it: sbatch: error: invalid" in said and "sbatch ..." not in said
    )
    failed = read_outcome(study.out).in_state("failed")
    assert [run.id for run in failed] == [f"own_det/coco/seed{number}" for number in (0, 1, 2)]
    assert all("invalid partition" in run.content["error"] for run in failed)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("CANCELLED", "somebody, or Snakemake, canceled it; it resumes from its last checkpoint"),
        ("TIMEOUT", "it resumes from its last checkpoint when the study is started again; a longer limit is `time`"),
        ("OUT_OF_MEMORY", "a larger request is `memory` of `slurm`"),
    ],
)
def test_what_slurm_ends_is_told_by_slurm(cluster, status: str, message: str) -> None:
    study, send, stream = cluster
    study.failure("own_det/coco/seed0", "mim train ... (exit -15)")  # the run saw its command end first
    error(send, 1, f"SLURM-job '12' failed, SLURM status is: '{status}'. Detailed failure reason unavailable. ")
    assert f"own_det/coco/seed0 failed: Slurm job 12 ended as {status}: {message}" in stream.getvalue()
    assert status in json.loads((study.out / "failed/own_det/coco/seed0.json").read_text())["error"]


def test_a_run_that_failed_tells_itself(cluster) -> None:
    study, send, stream = cluster
    study.failure("own_det/coco/seed0", "ValueError: num_classes is 3")
    error(send, 1, "SLURM-job '12' failed, SLURM status is: 'FAILED'. ", study.put("12.log", "noise"))
    assert stream.getvalue() == "study: own_det/coco/seed0 failed: ValueError: num_classes is 3\n"


def test_a_job_that_ended_before_its_run_began(cluster) -> None:
    study, send, stream = cluster
    log = study.put("12.log", "line\n" * 30 + "srun: fatal: no\x1b[2J configuration\n")
    error(send, 1, "SLURM-job '12' failed, SLURM status is: 'FAILED'. ", log)
    assert f"failed: Slurm job 12 ended as FAILED\nIts log: {log}\n" in stream.getvalue()
    assert "srun: fatal: no\\x1b[2J configuration" in stream.getvalue() and stream.getvalue().count("line") == 11


def test_a_failure_of_before_is_not_this_one(empty_study) -> None:
    empty_study.planned("own_det/coco/seed0", "own_det", "coco", 0)
    empty_study.failure("own_det/coco/seed0", "of yesterday")
    stream = io.StringIO()
    handler = JobMessages(empty_study.out, 1, stream)
    for extra in (
        dict(event=Event.JOB_INFO, jobid=1, wildcards={"run": "own_det/coco/seed0"}),
        dict(event=Event.JOB_ERROR, jobid=1, rule_msg="Job submission failed with exception: no account. " + ADVICE),
    ):
        record = logging.LogRecord("snakemake", logging.INFO, "", 0, "", None, None)
        record.__dict__.update(extra)
        handler.emit(record)
    assert stream.getvalue() == "study: own_det/coco/seed0 failed: Job submission failed with exception: no account.\n"
