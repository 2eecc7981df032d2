"""Runs that leave a record or say why they failed, go on where they stopped, and overwrite nothing."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmdetpre.operators.stand_in import operators_in_use
from mmdetpre.study.layout import config_path, job_path
from mmdetpre.study.runs import run as job_module
from mmdetpre.study.runs.checkpoints import last_checkpoint
from mmdetpre.study.runs.run import run_job
from mmdetpre.study.runs.run_folder import Job

RUN = "cls/scratch/seed0"
CONFIG = 'custom_imports = None\nrandomness = {"seed": 0}\nbackbone_init = {"checkpoint": None}\n'


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A study of one classification run."""
    out = tmp_path / "out"
    plan(out)
    return out


def plan(out: Path, config: str = CONFIG, digest: str = "a") -> None:
    settings = {"toolbox": "mmpretrain", "column": "own", "config_digest": digest, "options": {}, "tta": False}
    content = dict(id=RUN, task="cls", kind="classification", start="scratch", seed=0, needs=[], settings=settings)
    for path, text in (
        (job_path(out, RUN), json.dumps(content)),
        (config_path(out, RUN), config),
        (out / "study.json", json.dumps({"threads": 1, "launch": ["--launcher", "pytorch", "--gpus", "2"]})),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Mim:
    """Stands in for the commands of a run: leaves what `mim train` and `mim test` leave."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[list[str]] = []
        self.stop_in = ""
        monkeypatch.setattr(Job, "command", lambda job, *words: self.command(job, *words))

    def command(self, job: Job, *arguments) -> None:
        words = [str(argument) for argument in arguments]
        self.calls.append(words)
        job.commands.append(words)
        folder = Path(words[words.index("--work-dir") + 1])
        if words[1] == "train":
            stamp = folder / f"20260101_00000{len(self.calls)}"
            (stamp / "vis_data").mkdir(parents=True)
            (stamp / "vis_data" / "config.py").write_text("")
            (stamp / "vis_data" / "scalars.json").write_text('{"lr": 0.1, "loss": 1.0, "step": 1}\n')
            torch.save({}, folder / "epoch_1.pth")
            (folder / "last_checkpoint").write_text(str(folder / "epoch_1.pth"))
        if self.stop_in == words[1]:
            raise job_module.RunFailed("$ mim (exit 1)\nRuntimeError: stopped")
        if words[1] == "test":
            stamp = f"20260101_00010{len(self.calls)}"
            result = folder / stamp / f"{stamp}.json"
            result.parent.mkdir(parents=True)
            result.write_text('{"accuracy/top1": 61.5}')


def read(out: Path, kind: str) -> dict:
    return json.loads((out / kind / f"{RUN}.json").read_text())


def test_a_tracker_reaches_the_training_and_changes_no_digest(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"threads": 1, "launch": [], "tracker": "wandb", "name": "mine"}
    (out / "study.json").write_text(json.dumps(content))
    mim = Mim(monkeypatch)
    assert run_job(out, RUN) == 0
    train, test = ([word for word in call if word.endswith(".py")] for call in mim.calls)
    assert test == [str(config_path(out, RUN))]
    config = Config.fromfile(train[0], import_custom_modules=False)
    local, remote = config.visualizer.vis_backends
    assert (local.type, remote.type) == ("LocalVisBackend", "WandbVisBackend")
    assert (remote.init_kwargs.project, remote.init_kwargs.name, remote.init_kwargs.group) == ("mine", RUN, "cls")
    assert config.randomness.seed == 0
    plan(out)  # without a tracker it is trained all the same
    assert run_job(out, RUN) == 0 and [call[1] for call in mim.calls] == ["train", "test", "test"]


def test_a_record_says_what_was_done_and_what_it_gave(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mim = Mim(monkeypatch)
    assert run_job(out, RUN) == 0
    record = read(out, "records")
    assert record["cells"] == [
        {"table": "5", "row": "scratch", "column": "own", "value": 61.5, "low": None, "high": None}
    ]
    assert record["commands"] == mim.calls and [call[1] for call in mim.calls] == ["train", "test"]
    assert all(call[-4:] == ["--launcher", "pytorch", "--gpus", "2"] for call in mim.calls)
    assert record["checkpoint"]["file"].endswith("epoch_1.pth") and len(record["checkpoint"]["sha256"]) == 64
    assert record["versions"]["torch"] == torch.__version__.split("+")[0] and record["load"] is None
    assert record["operators"] == operators_in_use()


def test_a_failure_is_kept_until_the_run_succeeds(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mim = Mim(monkeypatch)
    mim.stop_in = "test"
    assert run_job(out, RUN) == 1
    assert "RuntimeError: stopped" in read(out, "failed")["error"]
    assert not (out / "records").exists()
    assert f"study: {RUN} failed" in capsys.readouterr().err
    mim.stop_in = ""
    assert run_job(out, RUN) == 0
    assert not (out / "failed" / f"{RUN}.json").exists()
    assert [call[1] for call in mim.calls] == ["train", "test", "test"], "what was trained is not trained again"


def test_a_stopped_training_goes_on(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mim = Mim(monkeypatch)
    mim.stop_in = "train"
    assert run_job(out, RUN) == 1
    mim.stop_in = ""
    assert run_job(out, RUN) == 0
    assert ["--resume" in call for call in mim.calls] == [False, True, False]


def test_a_run_of_another_config_is_moved_aside(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mim = Mim(monkeypatch)
    run_job(out, RUN)
    plan(out, CONFIG.replace("0}", "1}"), digest="b")
    assert run_job(out, RUN) == 0
    assert [call[1] for call in mim.calls] == ["train", "test", "train", "test"]
    assert "--resume" not in mim.calls[2]
    assert (out / "runs/cls/scratch/seed0.old1/epoch_1.pth").exists()
    assert "is kept in" in capsys.readouterr().out


def test_a_run_of_another_backbone_is_moved_aside(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mim = Mim(monkeypatch)
    weights = tmp_path / "backbone.pth"
    plan(out, CONFIG.replace("None}", f"{str(weights)!r}}}"))
    for value in (0.0, 0.0, 1.0):
        torch.save({"state_dict": {"conv1.weight": torch.full((1,), value)}}, weights)
        assert run_job(out, RUN) == 0
    assert [call[1] for call in mim.calls] == ["train", "test", "test", "train", "test"]


def test_a_command_that_fails_is_quoted_from_its_error_on(tmp_path: Path) -> None:
    lock = (tmp_path / "lock").open("w")
    job = Job(tmp_path, tmp_path, {"id": "a", "settings": {}}, tmp_path / "logs" / "a.log", lock.fileno())
    code = "print('fine'); raise ValueError('the numbers do not fit')"
    with pytest.raises(job_module.RunFailed, match=r"(?s)^\$ .*exit 1\)\nValueError: the numbers do not fit$"):
        job.command(sys.executable, "-c", code)
    assert "fine" in job.log.read_text()


def test_the_lock_outlives_a_killed_study(out: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """A command that goes on after its study was killed holds the run's lock; the next start waits for it."""
    mim = Mim(monkeypatch)
    path = out / "locks" / f"{RUN}.lock"
    path.parent.mkdir(parents=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        alive = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[file.fileno()])
    started = threading.Thread(target=run_job, args=(out, RUN))
    started.start()
    started.join(1.0)
    assert started.is_alive() and not mim.calls
    alive.communicate(b"\n")
    started.join(60)
    assert not started.is_alive() and (out / "records" / f"{RUN}.json").exists()
    assert "still running in another process" in capsys.readouterr().err


def test_runs_that_there_are_not(out: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run cls/none"):
        run_job(out, "cls/none")
    with pytest.raises(FileNotFoundError, match="holds no checkpoint"):
        last_checkpoint(out)


def test_checkpoints_of_a_folder_that_moved(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "epoch_2.pth")
    (tmp_path / "last_checkpoint").write_text("/elsewhere/epoch_2.pth")
    assert last_checkpoint(tmp_path) == tmp_path / "epoch_2.pth"


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for epoch in (1, 2):
        torch.save({"w": torch.ones(epoch)}, tmp_path / f"epoch_{epoch}.pth")
    last = tmp_path / "epoch_2.pth"
    (tmp_path / "last_checkpoint").write_text(str(last))
    last.write_bytes(last.read_bytes()[:-50])
    assert last_checkpoint(tmp_path) == tmp_path / "epoch_1.pth"
    (tmp_path / "epoch_1.pth").unlink()
    with pytest.raises(FileNotFoundError, match=r"holds no whole checkpoint \(epoch_2.pth: it is cut off or damaged"):
        last_checkpoint(tmp_path)
