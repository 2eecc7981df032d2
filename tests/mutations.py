"""Damage files in many ways, and hold their reader to it: a value, or an error of ours that names the file."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OURS = (ValueError, FileNotFoundError)
_PIECES = (
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b",", b";", b"\t", b'"', b"\r", b"\n", b"\r\n", b" ", b"-", b"."),
    *(b"nan", b"inf", b"-1", b"1e999", b"99999999999999999999", b"0", b"null", b"True", b"{", b"[", b"<", b"\\", b"/"),
    *("\u2028".encode(), "\u0301".encode(), "\U0001f600".encode(), b"label,class\n", b",,,,\n", b"%20", b"../"),
)


def mutations(data: bytes, seed: int = 0) -> Iterator[bytes]:
    """Endless damaged forms of a file: cut, flipped, with pieces taken out, doubled, exchanged and put in."""
    rng = random.Random(seed)
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        try:
            yield data.decode().encode(encoding)
        except UnicodeDecodeError:
            break
    yield from (b"", data[:1], data.replace(b"\n", b"\r"), data.replace(b",", b";"), data * 2, data[::-1])
    while True:
        bad = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 5))):
            at, end = sorted(rng.randrange(len(bad) + 1) for _ in range(2))
            end = min(end, at + rng.choice((1, 4, 40, 4000)))
            match rng.randrange(6):
                case 0:
                    del bad[at : len(bad) if rng.random() < 0.3 else end]
                case 1 if bad:
                    bad[at % len(bad)] ^= 1 << rng.randrange(8)
                case 2:
                    bad[at:at] = rng.choice(_PIECES)
                case 3:
                    bad[at:end] = rng.choice(_PIECES)
                case 4:
                    bad[at:at] = bad[at:end]
                case _:
                    bad[at:end] = rng.randbytes(end - at)
        yield bytes(bad)


def hold(
    read: Callable[[], Any],
    path: Path,
    *,
    seconds: float,
    most: int = 10**9,
    allowed: tuple[type[Exception], ...] = OURS,
    names: Path | None = None,
) -> int:
    """Damage a file again and again, and read it each time.

    Args:
        read: Reads the file.
        path: The file; it is what it was afterwards.
        seconds: How long; 50 times at least.
        most: How often at most.
        allowed: Types that an error may have; no other type, also none that is derived from them.
        names: What the message must name; None: the file.

    Returns:
        How often.

    Raises:
        AssertionError: If the reader ends in another way, or takes longer than 20 seconds.
    """
    whole, began, count = path.read_bytes(), time.monotonic(), 0
    try:
        for count, bad in enumerate(mutations(whole), start=1):
            path.write_bytes(bad)
            start = time.process_time()
            try:
                read()
            except Exception as error:
                told = str(error)
                good = type(error) in allowed and (names or path).name in told
                assert good, f"mutation {count}: {type(error).__name__}: {told[:300]} of {bad[:200]!r}"
            assert time.process_time() - start < 20, f"mutation {count} took long: {bad[:200]!r}"
            if count >= most or (count >= 50 and time.monotonic() - began > seconds):
                break
    finally:
        path.write_bytes(whole)
    return count
