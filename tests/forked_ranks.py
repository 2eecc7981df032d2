"""Several ranks on processors, forked from the process of a test: they need not import anything again."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any


def forked_ranks(count: int, work: Callable[[int], Any], seconds: float = 900) -> list[Any]:
    """What ``work(rank)`` returns on each of several ranks, in a group as under ``mim train --launcher pytorch``.

    Args:
        count: Number of ranks.
        work: What each of them does; it runs in a child and returns what can be pickled.
        seconds: Longest wait for one of them.
    """
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [context.Process(target=_rank, args=(rank, count, port, work, queue)) for rank in range(count)]
    for rank in ranks:
        rank.start()
    try:
        answers = dict(queue.get(timeout=seconds) for _ in ranks)
    finally:
        for rank in ranks:
            rank.join(10)
            rank.kill()
            rank.join()
    failed = [answer for answer in answers.values() if isinstance(answer, _Failed)]
    assert not failed, failed[0].trace
    return [answers[rank] for rank in range(count)]


class _Failed:
    def __init__(self, trace: str) -> None:
        self.trace = trace


def _rank(rank: int, count: int, port: int, work: Callable[[int], Any], queue: Any) -> None:
    from mmdetpre.compat.cpu_ranks import join_ranks

    sys.argv = ["train.py", "config.py", "--launcher", "pytorch"]
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(count)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
    try:
        assert join_ranks()
        queue.put((rank, work(rank)))
    except BaseException:
        queue.put((rank, _Failed(traceback.format_exc())))
        raise
