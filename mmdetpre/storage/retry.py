"""A store that does not answer is asked again, and is never taken for a damaged file."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_DRAW = random.SystemRandom()
"""Not the generator of ``random``: how often a server fails must not change what a seed gives."""


class StorageError(OSError):
    """A store gives no answer, or one that says nothing of the file: no fault of the file itself."""


class PassingFault(Exception):
    """A fault that may be gone in a moment: no connection, a time-out, a server that is busy.

    Args:
        reason: What happened.
        wait: Seconds that the server asks to wait.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def retried(
    act: Callable[[], T],
    address: str,
    *,
    retries: int = 8,
    first_wait: float = 0.5,
    longest_wait: float = 30.0,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """The result of an act that is done again after each :class:`PassingFault`, with waits that double.

    A wait is drawn between half of its length and all of it, so that the workers of a cluster do not come back all at
    once. The libraries' own retries draw from Python's global generator, which the seeds of a training own.

    Args:
        act: What to do.
        address: For the message.
        retries: How often it is done again at most.
        first_wait, longest_wait: Seconds. With 8 retries: at most a minute and a half in all.
        sleep: Waits.

    Raises:
        StorageError: After the last retry, with the address and the last fault.

    Example:
        >>> retried(lambda: b"...", "https://host/a.jpg")
        b'...'
    """
    waited = 0.0
    for again in range(retries + 1):
        try:
            return act()
        except PassingFault as fault:
            if again == retries:
                raise StorageError(
                    f"{address} could not be read in {again + 1} tries over {waited:.0f} s ({fault}). The file itself"
                    " may be whole: look at the server and the network, then resume the run."
                ) from fault
            wait = min(longest_wait, max(fault.wait, first_wait * 2**again * _DRAW.uniform(0.5, 1)))
            waited += wait
            sleep(wait)
    raise AssertionError("unreachable")
