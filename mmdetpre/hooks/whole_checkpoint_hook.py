"""Saves checkpoints whole or not at all, and resumes from the newest that is whole."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_main_process
from mmengine.fileio import register_backend
from mmengine.fileio.backends import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import BaseLoop, CheckpointLoader, Runner, save_checkpoint

from mmdetpre.checkpoints.newest_whole import POINTER, damage, newest_whole, point_to_newest
from mmdetpre.compat.training_faults import TrainingError, resume_advice
from mmdetpre.registry import HOOKS
from mmdetpre.utils.whole_file import PART, whole_file, write_text

BACKEND = "mmdetpre_whole_file"


class WholeFileBackend(LocalBackend):
    """mmengine's files on local disks, each written whole or not at all."""

    def put(self, obj: bytes, filepath: str | os.PathLike[str]) -> None:
        """Write a file."""
        with whole_file(filepath) as part:
            part.write_bytes(obj)


register_backend(BACKEND, WholeFileBackend, force=True)


class _RemovesLater:
    """A file backend that only notes what is to be removed, until the checkpoint that replaces it is written."""

    def __init__(self, backend: Any) -> None:
        self.backend, self.files, self.folders = backend, [], []  # type: Any, list[str], list[str]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.files.append(path)

    def rmtree(self, path: str) -> None:
        self.folders.append(path)

    def remove_all_but(self, written: Iterable[str | None]) -> None:
        kept = set(written)
        for remove, paths in ((self.backend.remove, self.files), (self.backend.rmtree, self.folders)):
            for path in paths:
                if path not in kept:
                    remove(path)


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook for runs that may be killed at any moment.

    * A checkpoint is written beside its place, brought to the disk, and only then gets its name; only then
      ``last_checkpoint`` names it; only then older ones, and the former best one, are removed. mmengine removes first,
      so that with ``max_keep_ckpts=1`` a process killed while it saves leaves none.
    * When training resumes, the newest whole checkpoint is what it resumes from: damaged ones are skipped with a
      warning. A damaged ``load_from`` is refused, by name.
    * Two hooks in one run (epochs, iterations) each keep count of their own files, also after a resume.

    The arguments are those of ``mmengine.hooks.CheckpointHook``. With ``backend_args`` or ``file_client_args`` of other
    stores, writing is left to them.

    Raises:
        TrainingError: If a checkpoint cannot be written or read: says which, why, and what to go on from.
    """

    backend_args: Any
    file_backend: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.local = self.backend_args is None and self.file_client_args is None and "://" not in str(self.out_dir)
        if self.local:
            self.backend_args = {"backend": BACKEND}

    def before_run(self, runner: Runner) -> None:
        """Looks at what the run is about to load.

        Raises:
            TrainingError: If the named checkpoint is damaged, or there is none to resume from that is whole.
        """
        trains = isinstance(runner._train_loop, BaseLoop)  # a dict before train() builds it
        named = runner._load_from
        if named is not None:
            if os.path.exists(str(named)) and (reason := damage(named)):
                found = newest_whole(Path(named).parent).path if trains and runner._resume else None
                instead = f" The newest whole one there is {found}." if found else ""
                raise TrainingError(f"{named} cannot be loaded: {reason}.{instead}")
        elif trains and runner._resume:
            if is_main_process():
                self._find_last(runner)
            barrier()

    def before_train(self, runner: Runner) -> None:
        """Counts the files of an interrupted run, and removes what it was writing when it was killed."""
        super().before_train(runner)
        if self.max_keep_ckpts > 0:
            steps = runner.message_hub.runtime_info.get(self._kept, [])
            self.keep_ckpt_ids = deque(steps[-self.max_keep_ckpts :], self.max_keep_ckpts)
            if is_main_process():
                self._remove(steps[: -self.max_keep_ckpts])  # the run was killed before it did
        if self.local and is_main_process() and os.path.isdir(self.out_dir):
            before, after = map(re.escape, self.filename_tmpl.split("{}", 1))
            unfinished = re.compile(rf"\.((best_.*)?{before}\d+{after}|{POINTER})\..*{re.escape(PART)}")
            for path in Path(self.out_dir).iterdir():
                if unfinished.fullmatch(path.name):
                    path.unlink(missing_ok=True)

    @property
    def _kept(self) -> str:
        return f"kept_{self.filename_tmpl}"

    def _find_last(self, runner: Runner) -> None:
        found = point_to_newest(runner.work_dir)
        for path, reason in found.damaged:
            runner.logger.warning(f"{path} is skipped: {reason}.")
        if found.damaged and found.path is None:
            raise TrainingError(
                f"{runner.work_dir} holds no whole checkpoint to resume from. To train from the beginning, run again"
                " without --resume."
            )
        if found.damaged:
            runner.logger.warning(f"Training goes on from {found.path}, the newest whole checkpoint.")

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        name = self.filename_tmpl.format(step)
        path = self.file_backend.join_path(self.out_dir, name)
        outdated: list[int] = []
        if self.max_keep_ckpts > 0:
            kept = [other for other in self.keep_ckpt_ids if other != step]
            outdated = kept[: max(0, len(kept) + 1 - self.max_keep_ckpts)]
            self.keep_ckpt_ids = deque([*kept, step], self.max_keep_ckpts)
            runner.message_hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
            runner.message_hub.update_info(self._kept, [*kept, step])  # with those that are about to be removed
        runner.message_hub.update_info("last_ckpt", path)
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            self.last_ckpt = path
            if not is_main_process():  # other ranks only take part in collecting what is sharded
                return
            write_text(Path(runner.work_dir, POINTER), path)
        except OSError as error:
            raise _not_saved(runner, meta["iter"], error) from error
        self._remove(outdated)

    def _remove(self, steps: Iterable[int]) -> None:
        for step in steps:
            old = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
            if self.file_backend.isfile(old):
                self.file_backend.remove(old)
            elif self.file_backend.isdir(old):  # DeepSpeed writes folders
                self.file_backend.rmtree(old)

    def _publish_model(self, runner: Runner, ckpt_path: str) -> None:
        if (self.backend_args or {}).get("backend") != BACKEND:
            super()._publish_model(runner, ckpt_path)
            return
        checkpoint = CheckpointLoader.load_checkpoint(ckpt_path, map_location="cpu")
        published = {key: value for key, value in checkpoint.items() if key in self.published_keys}
        digest = hashlib.sha256(pickle.dumps(published)).hexdigest()[:8]
        path = f"{os.path.splitext(ckpt_path)[0]}-{digest}.pth"
        try:
            save_checkpoint(published, path, backend_args=self.backend_args)
        except OSError as error:
            raise _not_saved(runner, runner.iter, error) from error
        runner.logger.info(f"{ckpt_path} is published as {path}, with {', '.join(published)}.")

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if not self.save_best or not hasattr(self, "file_backend"):  # the latter: validation alone, nothing is trained
            return
        backend = self.file_backend
        self.file_backend = later = _RemovesLater(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
        except OSError as error:
            raise _not_saved(runner, runner.iter, error) from error
        finally:
            self.file_backend = backend
        best = [getattr(self, "best_ckpt_path", None), *getattr(self, "best_ckpt_path_dict", {}).values()]
        later.remove_all_but([*best, self.last_ckpt])


def _not_saved(runner: Runner, iteration: int, error: OSError) -> TrainingError:
    return TrainingError(f"A checkpoint of iteration {iteration} was not saved: {error} {resume_advice(runner)}")
