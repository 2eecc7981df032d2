"""Runs on machines that share no folder: archives hold all that a run needs, and nothing leads out of the folder."""

from __future__ import annotations

import io
import json
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdetpre.config_files import CONFIG_ROOT
from mmdetpre.sample import make_sample
from mmdetpre.study.cluster import carry
from mmdetpre.study.cluster.executor import requests
from mmdetpre.study.kinds import rules
from mmdetpre.study.plan import make_plan, write_plan
from mmdetpre.study.records import DONE, read_outcome
from mmdetpre.study.spec import read_study
from mmdetpre.study.workflow import SNAKEFILE
from mmdetpre.utils.bounded_files import read_json
from mmdetpre.utils.own_files import record_of, require_own

CONFIG = "configs/cls/caltech256_sample.py"


def archive(path: Path, *members: tuple[str, bytes | None]) -> Path:
    """A tar of files; None stands for a link to /etc/passwd."""
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File of a study: a classifier, its backbone probed, and a figure of the probe."""
    data = make_sample(tmp_path / "data", layout="caltech256", train=20, validation=20, progress=False)
    options = {"train_cfg.max_epochs": 1, "train_cfg.val_begin": 9, "param_scheduler": None}
    for part in ("train", "val", "test"):
        options[f"{part}_dataloader.dataset.data_root"] = str(data)
        options[f"{part}_dataloader.dataset.per_class"] = 4
        options[f"{part}_dataloader.num_workers"] = 0
    content = {
        "name": "carried",
        "out": "work_dirs/carried",
        "seeds": [0],
        "inits": {"own": {"toolbox": "mmpretrain", "config": CONFIG, "options": options}},
        "tasks": {
            "probed": {
                "kind": "linear", "data_config": CONFIG, "crop": 32, "resize_edge": 32,
                "options": {key: value for key, value in options.items() if "dataset" in key},
            },
        },
        "figures": [7],
    }  # fmt: skip
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("study.yaml").write_text(json.dumps(content))
    return Path("study.yaml").absolute()


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 11), reason="Snakemake 9, which runs a study, needs Python 3.11")
def test_a_study_whose_runs_see_only_archives(study: Path, tmp_path: Path, run_warm: Callable) -> None:
    """Each run is made in a folder of its own, which is removed after it."""
    (tmp_path / "snake.py").write_text("from snakemake.cli import main\n\nmain()\n")
    content = read_study(study)
    plan = make_plan(content)
    write_plan(content, plan)
    pods = tmp_path / "pods"
    out = Path(content.out)
    values = {
        "root": str(Path.cwd()), "out": str(out), "parallel": 1, "rules": rules(1),
        "requests": requests(content, plan, "kubernetes"), "plan": read_json(out / "study.json"),
    }  # fmt: skip
    shutil.copy(SNAKEFILE, out / "Snakefile")
    for number, run in enumerate(plan):  # in the order in which they need each other
        (out / "workflow.json").write_text(json.dumps(values | {"carried": str(pods / str(number))}))
        command = [sys.executable, tmp_path / "snake.py", "--directory", out, "--snakefile", out / "Snakefile"]
        command += ["--nolock", "--force-use-threads", "--rerun-triggers", "mtime", "input"]
        command += ["--configfile", out / "workflow.json", "--cores", "1"]
        done = run_warm([*command, f"records/{run}.json"])
        assert done.returncode == 0, done.stdout + done.stderr
        shutil.rmtree(pods)
    assert {run.state for run in read_outcome(out).runs.values()} == {DONE}
    with tarfile.open(out / "kept/pretraining/own.tar") as tar:
        names = tar.getnames()
    assert "runs/pretraining/own/backbone_final.pth" in names and "records/pretraining/own.json" in names
    assert sum(name.endswith(".pth") for name in names) == 2
    drawn = [path.name for path in (out / "figures").iterdir() if path.suffix == ".png"]
    assert drawn and record_of(out / "figures").is_file()
    require_own(out / "figures", drawn)
    again = run_warm([*command, "--dry-run", "study"])
    assert again.returncode == 0 and "Nothing to be done" in again.stdout + again.stderr


def test_paths_of_shipped_configs_are_those_of_the_machine(study: Path, tmp_path: Path) -> None:
    content = read_study(study)
    write_plan(content, make_plan(content))
    carry.give(content.out, "probed/own", tmp_path / "given.tar")
    with tarfile.open(tmp_path / "given.tar") as tar:
        names, job = tar.getnames(), tar.extractfile("jobs/probed/own.json")
        assert job is not None
        given = job.read().decode()
    assert names == ["study.json", "jobs/probed/own.json", "jobs/pretraining/own.json", "configs/pretraining/own.py"]
    assert '"{configs}/cls/caltech256_sample.py"' in given and str(CONFIG_ROOT.resolve()) not in given


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("../mine.txt", b"x")], "'../mine.txt' is not a file of a study"),
        ([("/tmp/mine.txt", b"x")], "is not a file of a study"),
        ([("runs/../../mine.txt", b"x")], "is not a file of a study"),
        ([("records/a.json", None)], "is not a file of a study"),
        ([("configs/mine.txt", b"x")], "'configs/mine.txt' is not a file of a study"),
        ([("records/a.json/mine.txt", b"x")], "is not a file of a study"),
        ([("linked/mine.txt", b"x")], "leads out of"),
    ],
)
def test_archives_of_strangers(tmp_path: Path, members: list, message: str) -> None:
    out = tmp_path / "out"
    (tmp_path / "elsewhere").mkdir()
    out.mkdir()
    (out / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=message):
        carry.unpack(archive(tmp_path / "a.tar", *members), out, ["records/a.json", "runs/", "linked/"])
    assert not list(tmp_path.rglob("mine.txt")) and not (out / "records").exists()


def test_archives_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="a.tar is not an archive of a study's run"):
        carry.unpack(tmp_path / "a.tar", tmp_path, ["records/"])
    whole = archive(tmp_path / "b.tar", ("records/x.json", b"{}" * 9000)).read_bytes()
    (tmp_path / "b.tar").write_bytes(whole[:5000])
    with pytest.raises(ValueError, match="b.tar is not an archive of a study's run"):
        carry.unpack(tmp_path / "b.tar", tmp_path / "out", ["records/"])
    with pytest.raises(ValueError, match="has no record of y"):
        carry.fetch(archive(tmp_path / "c.tar", ("logs/y.log", b"")), tmp_path / "out", "y")
    with pytest.raises(ValueError, match="'records/x.json' is not a file of a study"):
        carry.fetch(archive(tmp_path / "d.tar", ("records/x.json", b"{}")), tmp_path / "out", "y")
