"""Ends ranks in the middle, once each; imported by the config of a test, in processes of their own."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


def _end_once(mark: Path) -> None:
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class KilledRank(Hook):
    """A rank is killed in an iteration, and later rank 0 when half of a checkpoint is written.

    Args:
        folder: Where marks say what has happened.
        rank: Which rank.
        iteration: In which iteration, from 0.
        checkpoint: Name of the file in whose writing rank 0 is killed.
    """

    def __init__(self, folder: str, rank: int, iteration: int, checkpoint: str) -> None:
        self.folder, self.rank, self.iteration = Path(folder), rank, iteration
        write = Path.write_bytes

        def half(path: Path, data: bytes) -> int:
            if checkpoint in path.name and not (self.folder / "save").exists():
                write(path, data[: len(data) // 2])
                _end_once(self.folder / "save")
            return write(path, data)

        Path.write_bytes = half  # type: ignore[method-assign]

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if get_rank() == self.rank and runner.iter == self.iteration:
            _end_once(self.folder / "rank")


@HOOKS.register_module()
class WaitingRank(Hook):
    """From an iteration on, all ranks wait until a file is there, so that a test can act meanwhile.

    Args:
        mark: What says that they wait.
        until: The file.
        iteration: From 0.
    """

    def __init__(self, mark: str, until: str, iteration: int) -> None:
        self.mark, self.until, self.iteration = Path(mark), Path(until), iteration

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        import time

        while runner.iter >= self.iteration and not self.until.exists():
            self.mark.touch()
            time.sleep(0.1)
