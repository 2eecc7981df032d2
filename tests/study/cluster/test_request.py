"""What runs ask of Slurm, as the file of a study says it, and each way in which that can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mmdetpre.study.cluster.executor import requests
from mmdetpre.study.cluster.request import SlurmRequest, read_kubernetes, read_slurm
from mmdetpre.study.plan import make_plan
from mmdetpre.study.spec import read_study

FULL = {
    "partition": "gpu,long",
    "account": "lab-7",
    "memory": "64G",
    "time": "1d 12h",
    "cpus": 12,
    "gpus": 0,
    "extra": ["--qos=long", "--mail-type=FAIL"],
}
STUDY = {
    "name": "mine",
    "out": "work_dirs/mine",
    "seeds": [0],
    "threads": 2,
    "figures": [1],
    "inits": {"scratch": None, "own": {"checkpoint": "own.pth"}},
    "tasks": {
        "voc_detection": {
            "kind": "detection",
            "config": "configs/det/sniper_voc_sample.py",
            "scratch_config": "configs/det/sniper_voc_sample.py",
            "options": {"train_dataloader.num_workers": 5},
        },
        "caltech256_linear": {"kind": "linear", "data_config": "configs/cls/caltech256_sample.py"},
    },
}


def asked(tmp_path: Path, executor: str = "slurm", **change: object) -> dict[str, dict[str, int | str]]:
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY | change))
    study = read_study(tmp_path / "study.yaml")
    return requests(study, make_plan(study), executor)


def test_all_settings() -> None:
    request = read_slurm(FULL, "slurm")
    assert request == SlurmRequest("gpu,long", "lab-7", 64 * 1024, 36 * 60, 12, 0, ("--qos=long", "--mail-type=FAIL"))
    assert request.resources(gpus=0, cpus=3) == {
        "nodes": 1,
        "gpu": 0,
        "cpus_per_task": 12,
        "mem_mb": 65536,
        "runtime": 2160,
        "slurm_partition": "gpu,long",
        "slurm_account": "lab-7",
        "slurm_extra": "--qos=long --mail-type=FAIL",
    }


@pytest.mark.parametrize(
    ("memory", "time", "expected"),
    [
        ("500M", "90m", (500, 90)),
        ("2g", "2d", (2048, 2880)),
        ("1T", "1h 30m", (1 << 20, 90)),
        ("1G512M", "1h", (1536, 60)),
    ],
)
def test_amounts(memory: str, time: str, expected: tuple[int, int]) -> None:
    request = read_slurm({"memory": memory, "time": time}, "slurm")
    assert (request.memory, request.time) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"partion": "gpu"}, "unknown key 'partion': it knows account, cpus, extra, gpus, memory, partition, time"),
        ({"nodes": 2}, "unknown key 'nodes'"),
        ({"partition": 7}, "partition is 7, expected a text"),
        ({"partition": "gpu; rm"}, "partition is 'gpu; rm', which Slurm knows no name like"),
        ({"partition": "--wrap"}, "partition is '--wrap'"),
        ({"account": "$(id)"}, "account is "),
        ({"memory": 64}, "memory is 64, expected a text such as '32G'"),
        ({"memory": "64"}, "memory is '64', expected a text such as '32G'"),
        ({"memory": "0G"}, "memory is '0G': give at least 1M"),
        ({"time": 43200}, "time is 43200, expected a text such as '12h'"),
        ({"time": "12:00:00"}, "time is '12:00:00', expected a text such as '12h'"),
        ({"cpus": 0}, "cpus is 0: give a number of at least 1"),
        ({"cpus": True}, "cpus is True: give a number"),
        ({"gpus": -1}, "gpus is -1: give a number of at least 0"),
        ({"extra": "--qos=long"}, "extra is '--qos=long', expected a list"),
        ({"extra": ["-q long"]}, "'-q long' is not an option of sbatch: write long ones, such as '--qos=long'"),
        ({"extra": [3]}, "3 is not an option of sbatch"),
        ({"extra": ["--mem=3G"]}, "--mem is set by the study: there are the keys partition, account, memory"),
        ({"extra": ["--wrap", "--output=x"]}, "--wrap is set by the study"),
    ],
)
def test_mistakes_are_named(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"study.yaml: slurm(: extra)?(: | has the ){message}"):
        read_slurm(change, "study.yaml: slurm")


def test_what_runs_ask_for_where_nothing_is_said(tmp_path: Path) -> None:
    found = asked(tmp_path)
    training = found["voc_detection/scratch/seed0"]
    assert training == {"nodes": 1, "gpu": 1, "cpus_per_task": 6, "mem_mb": 6 * 4096}  # five workers and the training
    assert found["caltech256_linear/own"] == {"nodes": 1, "gpu": 1, "cpus_per_task": 2, "mem_mb": 2 * 4096}
    assert found["figures/1"]["gpu"] == 0


def test_gpus_follow_the_launcher_and_may_be_none(tmp_path: Path) -> None:
    launch = {"launcher": "pytorch", "gpus": 4}
    found = asked(tmp_path, launch=launch)
    assert [found[run]["gpu"] for run in ("voc_detection/own/seed0", "caltech256_linear/own", "figures/1")] == [4, 1, 0]
    assert found["voc_detection/own/seed0"]["cpus_per_task"] == 4 * 6
    found = asked(tmp_path, launch=launch, slurm={"gpus": 0, "memory": "8G", "cpus": 3})
    assert {(run["gpu"], run["mem_mb"], run["cpus_per_task"]) for run in found.values()} == {(0, 8192, 3)}
    with pytest.raises(ValueError, match="slurm: gpus is 2, but launch starts 4 processes, one per GPU: leave it out"):
        asked(tmp_path, launch=launch, slurm={"gpus": 2})


def test_options_reach_the_shell_as_they_are_written() -> None:
    extra = read_slurm({"extra": ["--comment-not=$(touch x) `y`"]}, "slurm").resources(0, 1)["slurm_extra"]
    assert extra == "'--comment-not=$(touch x) `y`'"


def test_what_runs_ask_of_kubernetes(tmp_path: Path) -> None:
    launch = {"launcher": "pytorch", "gpus": 4}
    found = asked(tmp_path, "kubernetes", launch=launch, kubernetes={"gpu_manufacturer": "amd", "memory": "8G"})
    gpus = {"gpu": 4, "gpu_manufacturer": "amd"}
    assert found["voc_detection/own/seed0"] == {"cpus_per_task": 24, "mem_mb": 8192, "scale": 0} | gpus
    assert found["figures/1"] == {"cpus_per_task": 2, "mem_mb": 8192, "scale": 0}  # no key that would ask for a GPU
    with pytest.raises(ValueError, match="kubernetes: gpus is 2, but launch starts 4 processes"):
        asked(tmp_path, launch=launch, kubernetes={"gpus": 2})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"partition": "gpu"}, "has the unknown key 'partition': it knows cpus, gpu_manufacturer, gpus, memory, root"),
        ({"gpu_manufacturer": "intel"}, "gpu_manufacturer is 'intel': choose one of nvidia, amd"),
        ({"root": "study"}, "root is 'study': give the path of a folder of the pods"),
        ({"root": "/a/../b"}, "root is '/a/../b'"),
        ({"memory": 8}, "memory is 8, expected a text"),
    ],
)
def test_mistakes_of_kubernetes_are_named(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_kubernetes(change, "study.yaml: kubernetes")
