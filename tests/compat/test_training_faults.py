"""What ends a training is told in one message: under the toolboxes' train.py, in an unmodified Runner."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmdetpre.compat.toolbox_commands import toolbox_name
from mmdetpre.compat.training_faults import TrainingError, explain, tell_faults
from mmdetpre.transfer import BackboneNotLoaded, LoadReport

ROOT = Path(__file__).parents[2]


class Numbers(torch.utils.data.Dataset):
    """Numbered samples, one of which kills the process that reads it."""

    def __init__(self, deadly: int | None = None) -> None:
        self.deadly = deadly

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict:
        if index == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"inputs": torch.tensor([index / 8])}


def said_at_the_end(error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What is on stderr when an error ends a toolbox's train.py."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/tools/train.py", "config.py"])
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    tell_faults()
    tell_faults()
    capsys.readouterr()
    sys.excepthook(type(error), error, error.__traceback__)
    return capsys.readouterr().err


def fault_of(run: Callable[[], object]) -> BaseException:
    try:
        run()
    except Exception as error:
        return error
    raise AssertionError("the run should fail")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    return lambda error: said_at_the_end(error, monkeypatch, capsys)


def test_a_killed_worker(small_run: Callable, tmp_path: Path, told: Callable) -> None:
    runner = small_run(dict(by_epoch=False, interval=1), workers=1, dataset=Numbers(deadly=6))
    text = told(fault_of(runner.train))
    assert text.startswith("\nTrainingError: A process that loads images (DataLoader worker, pid ")
    assert "ended without a word" in text or "is killed by signal: " in text
    assert "train_dataloader.num_workers" in text and "Traceback" not in text
    assert "Then run again with --resume: it resumes from " in text and text.count("\n") == 2
    log = next((tmp_path / "work").rglob("*.log")).read_text()
    assert "A process that loads images" in log and "Traceback" in log, "the log keeps where it came from"


def lost_by(worker: object) -> Numbers:
    """Data whose first batch does not come, because this process of the loader is gone."""

    class _MultiProcessingDataLoaderIter:  # as torch's own
        _workers = [worker]

        def __next__(self) -> None:
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    class Loads(Numbers):
        def __getitem__(self, index: int) -> None:
            return next(_MultiProcessingDataLoaderIter())

    return Loads()


def test_a_worker_that_is_killed_while_it_hands_over_a_batch(small_run: Callable) -> None:
    worker = multiprocessing.get_context("fork").Process(target=lambda: os.kill(os.getpid(), signal.SIGKILL))
    worker.start()

    message = explain(fault_of(small_run(dataset=lost_by(worker)).train))
    assert f"(DataLoader worker, pid {worker.pid}) is killed by signal: SIGKILL. Mostly" in str(message)


def test_a_worker_that_dies_while_its_end_is_looked_for(small_run: Callable, tmp_path: Path) -> None:
    """torch's handler of SIGCHLD then raises in the middle of the search."""

    class Worker:
        pid = 77

        def join(self, timeout: float) -> None:
            raise RuntimeError("DataLoader worker (pid 77) is killed by signal: Killed. ")

    message = explain(fault_of(small_run(dataset=lost_by(Worker())).train))
    assert "(DataLoader worker, pid 77) is killed by signal: Killed. Mostly" in str(message)


def test_a_work_dir_that_vanishes(small_run: Callable, tmp_path: Path, told: Callable) -> None:
    class Vanishes(Numbers):
        def __getitem__(self, index: int) -> dict:
            if index == 4:
                shutil.rmtree(tmp_path / "work", ignore_errors=True)
            return super().__getitem__(index)

    runner = small_run(
        dict(interval=-1, save_last=False), dataset=Vanishes(), visualizer=VISUALIZER, log_processor=dict(window_size=1)
    )
    next(hook for hook in runner.hooks if type(hook).__name__ == "LoggerHook").interval = 1
    text = told(fault_of(runner.train))
    work = tmp_path / "work"
    assert f"The work dir {work} is gone: it was removed, renamed or unmounted" in text and "Traceback" not in text
    assert "No whole checkpoint was written yet: start from scratch." in text


VISUALIZER = dict(type="Visualizer", vis_backends=[dict(type="LocalVisBackend")])


def test_a_work_dir_that_vanishes_before_a_save_is_made_again(small_run: Callable, tmp_path: Path) -> None:
    class Vanishes(Numbers):
        def __getitem__(self, index: int) -> dict:
            if index == 7:
                shutil.rmtree(tmp_path / "work", ignore_errors=True)
            return super().__getitem__(index)

    small_run(dataset=Vanishes(), visualizer=dict(type="Visualizer")).train()  # which writes nothing before the save
    assert (tmp_path / "work" / "epoch_2.pth").is_file(), "what was learned is saved all the same"


@pytest.mark.parametrize(
    ("number", "inside", "words"),
    [
        (errno.ENOSPC, True, "cannot be written: No space left on device. Free space for"),
        (errno.ENOSPC, False, "A file cannot be written: No space left on device. Free space for"),
        (errno.EROFS, True, "cannot be written: Read-only file system. Make"),
        (errno.EACCES, True, "Permission denied. Make"),
        (errno.EACCES, False, None),
        (errno.ENOENT, True, None),
    ],
)
def test_errors_of_the_disk(small_run: Callable, tmp_path: Path, number: int, inside: bool, words: str | None) -> None:
    runner = small_run()
    file = str(tmp_path / "work" / "vis_data" / "scalars.json") if inside else None

    class Fails(Numbers):
        def __getitem__(self, index: int) -> dict:
            raise OSError(number, os.strerror(number), file)

    runner = small_run(dataset=Fails())
    message = explain(fault_of(runner.train))
    assert message is None if words is None else words in str(message)


def test_a_place_that_is_a_file(tmp_path: Path, small_run: Callable, told: Callable) -> None:
    (tmp_path / "file").write_text("")
    text = told(fault_of(lambda: small_run(work_dir=str(tmp_path / "file" / "work"))))
    assert f"The work dir {tmp_path / 'file' / 'work'} is gone" in text and "a part of its path is a file" in text


def test_our_own_errors_are_their_message_and_others_keep_their_traceback(told: Callable) -> None:
    assert told(TrainingError("the reason")) == "\nTrainingError: the reason\n"
    report = LoadReport("a.pth", "mmdet.ResNet")
    report.reasons.append("no backbone")
    assert told(BackboneNotLoaded(report)).startswith("\nBackboneNotLoaded: ")
    text = told(fault_of(lambda: {}["a"]))  # type: ignore[index]
    assert text.startswith("Traceback") and text.endswith("KeyError: 'a'\n")
    assert explain(OSError(errno.ENOSPC, "No space left on device")) is None, "of no run"


def test_nothing_else_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/pytest"])
    before = sys.excepthook
    tell_faults()
    assert sys.excepthook is before


@pytest.mark.slow
def test_mim_train_resumes_a_run_that_was_killed_while_it_saved(
    sample_config: Callable, tmp_path: Path, run_warm: Callable
) -> None:
    """The same losses follow as in a run that was not interrupted."""

    def config(name: str) -> Config:
        cfg = sample_config(
            work_dir=str(tmp_path / name),
            experiment_name=f"{tmp_path.name}_{name}",
            train_dataloader__batch_size=4,
            train_dataloader__dataset__dataset__max_images=6,
            train_cfg=dict(max_epochs=1, val_interval=10),
        )
        cfg.default_hooks.mid_epoch.interval = 2
        cfg.default_hooks.checkpoint.interval = 10
        return cfg

    def losses(name: str) -> dict[int, float]:
        found = {}
        for file in sorted((tmp_path / name).glob("*/vis_data/scalars.json")):
            for line in file.read_text().splitlines():
                row = json.loads(line)
                if "loss" in row:
                    found[row["step"]] = row["loss"]
        return found

    Runner.from_cfg(config("whole")).train()
    child = os.fork()
    if child == 0:
        write = Path.write_bytes

        def half(path: Path, data: bytes) -> int:
            if "iter_4.pth" in path.name:
                write(path, data[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return write(path, data)

        Path.write_bytes = half  # type: ignore[method-assign]
        try:
            Runner.from_cfg(config("killed")).train()
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    work = tmp_path / "killed"
    assert not (work / "iter_4.pth").exists() and (work / "last_checkpoint").read_text() == str(work / "iter_2.pth")
    (work / "iter_3.pth").write_bytes((work / "iter_2.pth").read_bytes()[:5000])  # as mmengine's own hook leaves it
    (work / "last_checkpoint").write_text(str(work / "iter_3.pth"))
    config("killed").dump(tmp_path / "config.py")
    done = run_warm(["mim", "train", toolbox_name("mmdet"), tmp_path / "config.py", "--resume"], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "iter_3.pth is skipped: it is cut off or damaged" in done.stdout + done.stderr
    assert len((done.stdout + done.stderr).splitlines()) <= 36, "the console is quiet under mim train too"
    assert "System environment" not in done.stdout and "\r" not in done.stderr
    assert f"Auto resumed from the latest checkpoint {work / 'iter_2.pth'}" in done.stdout + done.stderr
    whole, resumed = losses("whole"), losses("killed")
    assert max(whole) >= 4 and list(resumed) == list(range(3, max(whole) + 1))
    assert all(loss == pytest.approx(whole[step], abs=1e-5) for step, loss in resumed.items())


@pytest.mark.slow
def test_mim_train_tells_a_fault_without_a_traceback_of_the_run(sample_config: Callable, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sample_config().dump(tmp_path / "config.py")
    command = [sys.executable, "-m", "mim", "train", toolbox_name("mmdet"), str(tmp_path / "config.py")]
    done = subprocess.run(
        [*command, "--work-dir", str(tmp_path / "file" / "work")], cwd=ROOT, capture_output=True, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
    )  # fmt: skip
    assert done.returncode != 0
    assert "Traceback" not in done.stderr, "neither the run's nor mim's"
    *_, last, mim = filter(None, done.stderr.splitlines())
    assert last.startswith(f"TrainingError: The work dir {tmp_path / 'file' / 'work'} is gone") and mim == "Aborted!"
