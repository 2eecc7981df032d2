"""Runs that are killed while they save, resume from damaged files, or have no place to save to."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmdetpre.checkpoints.newest_whole import POINTER, damage, newest_whole
from mmdetpre.checkpoints.torch_file import read_torch_file
from mmdetpre.compat.training_faults import TrainingError
from mmdetpre.utils.whole_file import PART

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.endswith(".py"))


def killed_while_saving(run: Callable[[], Runner], name: str) -> None:
    """Train in a child process that is killed when half of the named checkpoint is on the disk."""
    child = os.fork()
    if child == 0:
        write = Path.write_bytes

        def half(path: Path, data: bytes) -> int:
            if name in path.name:
                write(path, data[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return write(path, data)

        Path.write_bytes = half  # type: ignore[method-assign]
        try:
            run().train()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, "the child should be killed in the save"


@pytest.mark.parametrize("keep", [1, 2])
def test_a_run_killed_while_it_saves_resumes_from_the_checkpoint_before(
    small_run: Callable, tmp_path: Path, keep: int
) -> None:
    options = dict(by_epoch=False, interval=2, max_keep_ckpts=keep)
    steps = dict(train_cfg=dict(by_epoch=False, max_iters=8))
    killed_while_saving(lambda: small_run(options, **steps), "iter_6.pth")
    work = tmp_path / "work"
    assert damage(work / "iter_4.pth") is None and (work / POINTER).read_text() == str(work / "iter_4.pth")
    assert not (work / "iter_6.pth").exists() and any(path.suffix == PART for path in work.iterdir())
    again = small_run(options, resume=True, **steps)
    again.train()
    assert again.iter == 8 and again.model.calls == 4
    kept = {1: ["iter_8.pth"], 2: ["iter_6.pth", "iter_8.pth"]}[keep]
    assert names(work) == [*kept, POINTER] and newest_whole(work).path == work / "iter_8.pth"


STEPS_OF_A_SAVE = {
    "tempfile.mkstemp": tempfile, "pathlib.Path.write_bytes": Path, "os.fsync": os, "os.chmod": os, "os.replace": os,
    "os.remove": os, "pathlib.Path.unlink": Path,
}  # fmt: skip


def copy_before_each_step(work: Path, copies: Path, steps: list[str], patched: pytest.MonkeyPatch) -> None:
    """Let each step of a save first copy the work folder: a process that is killed right there leaves these files."""
    copying = False

    def copies_first(name: str, function: Callable) -> Callable:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal copying
            if not copying:
                copying = True
                shutil.copytree(work, copies / str(len(steps)))
                copying = False
                steps.append(name)
            return function(*args, **kwargs)

        return step

    for name, owner in STEPS_OF_A_SAVE.items():
        attribute = name.rsplit(".", 1)[1]
        patched.setattr(owner, attribute, copies_first(name, getattr(owner, attribute)))


def test_a_run_killed_at_any_step_of_a_save_leaves_a_whole_checkpoint(
    small_run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runner, "_log_env", lambda self, env_cfg: None)  # takes longer than the training
    options, length = dict(by_epoch=False, interval=2, max_keep_ckpts=2), dict(by_epoch=False, max_iters=6)
    work, copies, steps, reached, resumed = tmp_path / "work", tmp_path / "copies", [], [], set()
    runner = small_run(options, train_cfg=length)
    with monkeypatch.context() as patched:
        copy_before_each_step(work, copies, steps, patched)
        runner.train()
    for number in range(len(steps)):
        shutil.rmtree(work)
        (copies / str(number)).rename(work)
        found = newest_whole(work)
        assert found.damaged == (), "what has the name of a checkpoint is one"
        reached.append(0 if found.path is None else int(found.path.stem.removeprefix("iter_")))
        assert len(list(work.glob("iter_*.pth"))) <= 3
        files = frozenset((name, (work / name).read_bytes()) for name in names(work))
        if files in resumed:  # flushed or not, with this mode or that
            continue
        resumed.add(files)
        again = small_run(options, train_cfg=length, resume=True)
        again.train()
        assert again.iter == 6 and again.model.calls == 6 - reached[-1]
        assert names(work) == ["iter_4.pth", "iter_6.pth", POINTER]
        assert not list(work.glob(f".*{PART}")), "what was half written is removed"
    assert set(steps) == STEPS_OF_A_SAVE.keys(), "it was killed before each of these"
    assert reached == sorted(reached) and set(reached) == {0, 2, 4, 6}, "no step takes away what was reached"


def test_the_best_checkpoint_is_removed_after_its_successor_is_written(small_run: Callable, tmp_path: Path) -> None:
    def run() -> Runner:
        options = dict(save_best="score", rule="greater", max_keep_ckpts=1)
        runner = small_run(options)
        hook = next(h for h in runner.hooks if hasattr(h, "key_indicators"))

        class Validates(type(hook)):  # scores after each epoch, as a validation would
            def after_train_epoch(self, runner: Runner) -> None:
                super().after_train_epoch(runner)
                self.after_val_epoch(runner, {"score": float(runner.epoch)})

        hook.__class__ = Validates
        return runner

    killed_while_saving(run, "best_score_epoch_1.pth")
    work = tmp_path / "work"
    assert damage(work / "best_score_epoch_0.pth") is None, "the former best stands until the new one does"
    run().train()
    assert [name for name in names(work) if "best" in name] == ["best_score_epoch_1.pth"]
    assert damage(work / "best_score_epoch_1.pth") is None


def test_a_damaged_newest_is_passed_over_with_a_warning(
    small_run: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_run().train()
    last = tmp_path / "work" / "epoch_2.pth"
    last.write_bytes(last.read_bytes()[:-100])
    again = small_run(resume=True)
    again.train()
    assert again.model.calls == 4
    said = "".join(capsys.readouterr())
    assert f"{last} is skipped: it is cut off or damaged" in said and "goes on from" in said
    for path in (tmp_path / "work").glob("*.pth"):
        path.write_bytes(b"")
    with pytest.raises(TrainingError, match="no whole checkpoint to resume from.*without --resume"):
        small_run(resume=True).train()


def test_a_damaged_file_that_was_named_is_refused(small_run: Callable, tmp_path: Path) -> None:
    small_run().train()
    last = tmp_path / "work" / "epoch_2.pth"
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(TrainingError, match=r"epoch_2\.pth cannot be loaded: it is cut.* there is .*epoch_1\.pth"):
        small_run(resume=True, load_from=str(last)).train()
    with pytest.raises(TrainingError, match=r"epoch_2\.pth cannot be loaded"):
        small_run(load_from=str(last)).train()


def test_two_hooks_keep_their_own_files_also_after_a_resume(small_run: Callable, tmp_path: Path) -> None:
    def run(epochs: int, **options: object) -> Runner:
        every = dict(type="mmdetpre.WholeCheckpointHook", by_epoch=False, interval=3, max_keep_ckpts=2, save_last=False)
        cfg = dict(by_epoch=True, max_epochs=epochs)
        return small_run(dict(max_keep_ckpts=3), custom_hooks=[every], train_cfg=cfg, **options)

    run(4).train()
    kept = ["epoch_2.pth", "epoch_3.pth", "epoch_4.pth", "iter_12.pth", "iter_15.pth", POINTER]
    assert names(tmp_path / "work") == kept
    run(6, resume=True).train()
    kept = ["epoch_4.pth", "epoch_5.pth", "epoch_6.pth", "iter_21.pth", "iter_24.pth", POINTER]
    assert names(tmp_path / "work") == kept


def test_a_full_disk_is_one_message_and_keeps_what_is_there(
    small_run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if "epoch_2" in path.name:
            write(path, data[:100])
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(TrainingError) as caught:
        small_run(dict(max_keep_ckpts=1)).train()
    work = tmp_path / "work"
    assert "checkpoint of iteration 8 was not saved" in str(caught.value)
    assert "epoch_2.pth cannot be written: No space left on device" in str(caught.value)
    assert str(caught.value).endswith(f"run again with --resume: it resumes from {work / 'epoch_1.pth'}.")
    assert names(work) == ["epoch_1.pth", POINTER]


def test_what_is_published_is_whole_or_not_there(
    small_run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, write = tmp_path / "work", Path.write_bytes
    options = dict(published_keys=["meta", "state_dict"], save_last=True)

    def full(path: Path, data: bytes) -> int:
        if "epoch_2-" in path.name:
            write(path, data[:100])
            raise OSError(28, "No space left on device")
        return write(path, data)

    with monkeypatch.context() as patched, pytest.raises(TrainingError, match="No space left on device"):
        patched.setattr(Path, "write_bytes", full)
        small_run(options).train()
    assert not list(work.glob("*-*")) and not list(work.glob(f".*{PART}"))
    small_run(options).train()
    (published,) = work.glob("epoch_2-????????.pth")
    assert sorted(read_torch_file(published)) == ["meta", "state_dict"]


def test_other_stores_are_left_to_their_own_backend() -> None:
    from mmdetpre.hooks import WholeCheckpointHook

    assert WholeCheckpointHook(backend_args=dict(backend="petrel")).backend_args == dict(backend="petrel")
    assert WholeCheckpointHook().local and not WholeCheckpointHook(out_dir="s3://bucket/runs").local


@pytest.mark.parametrize("base", ["runtime", "runtime_mmseg", "runtime_mmpretrain"])
def test_all_three_toolboxes_save_this_way(base: str) -> None:
    cfg = Config.fromfile(ROOT / "configs" / "_base_" / f"{base}.py")
    hooks = list(cfg.default_hooks.values())
    savers = [hook for hook in hooks if hook.type.endswith("CheckpointHook")]
    assert savers and all(hook.type == "mmdetpre.WholeCheckpointHook" for hook in savers)
    assert all(hook.max_keep_ckpts >= 2 for hook in savers)
    assert "mmdetpre.FiniteLossHook" in [hook.type for hook in hooks]
