"""What a pickle announces and describes is compared with bounds before any of it is made."""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Iterable
from typing import IO, Any

MOST_PARTS = 50_000_000
"""Parts of a whole checkpoint, each counted as often as it is reached. Those of large models have a few million."""
_ADDS = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})
_KEEPS = frozenset({"BINPUT", "LONG_BINPUT", "PUT"})
_FETCHES = frozenset({"BINGET", "LONG_BINGET", "GET"})


class Within:
    """Reads on in a file, and nothing of a length that it does not have: Python takes the memory before it reads.

    Args:
        file: A file of bytes that can be searched.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.readline = file, file.readline
        here = file.tell()
        self.size = file.seek(0, io.SEEK_END)
        file.seek(here)

    def read(self, count: int) -> bytes:
        """As many bytes.

        Raises:
            pickle.UnpicklingError: If the file has less left.
        """
        if count > self.size - self.file.tell():
            raise pickle.UnpicklingError(f"a text or array of {count} bytes in a file of {self.size}")
        return self.file.read(count)


class Parts:
    """Counts the parts of what a pickle describes, instruction by instruction, as if nothing in it were shared.

    A list that holds one list twice, sixty times over, takes a few hundred bytes; hashed, compared, copied or put into
    a message it has 2 to the power of 60 parts.

    Example:
        >>> twice = [[1]]
        >>> for _ in range(60):
        ...     twice = [twice, twice]
        >>> parts = Parts()
        >>> for opcode, argument, _ in pickletools.genops(pickle.dumps(twice, protocol=2)):
        ...     parts.add(opcode, argument)
        >>> parts.largest() > 2**60
        True
    """

    def __init__(self) -> None:
        self._stack: list[int] = []
        self._marks: list[int] = []
        self._memo: dict[int, int] = {}
        self._within: list[list[int]] = [[]]  # the first stands for all that holds nothing

    def add(self, opcode: Any, argument: Any) -> None:
        """Follow one instruction; one that is impossible is left to who reads the pickle."""
        stack, name = self._stack, opcode.name
        if name == "MARK":
            self._marks.append(len(stack))
        elif name in _KEEPS:
            if stack:
                self._memo[argument] = stack[-1]
        elif name in _FETCHES:
            stack.append(self._memo.get(argument, 0))
        elif name in _ADDS:
            items = self._popped(opcode)
            if stack and stack[-1]:
                self._within[stack[-1]] += items
        elif opcode.stack_after or opcode.stack_before:
            items = self._popped(opcode)
            grows = items or name.startswith("EMPTY_")
            stack.extend(self._new(items) if grows else 0 for _ in opcode.stack_after)

    def largest(self) -> int:
        """Parts of the largest whole; a circle counts as without end.

        Returns:
            A number, at most 2 to the power of 1000.
        """
        sizes: dict[int, int] = {}
        for start in range(len(self._within)):
            if start in sizes:
                continue
            path, open_ = [(start, iter(self._within[start]))], {start}
            while path:
                node, left = path[-1]
                child = next((other for other in left if other not in sizes), None)
                if child is None:
                    sizes[node] = min(1 + sum(sizes[other] for other in self._within[node]), 1 << 1000)
                    open_.discard(node)
                    path.pop()
                elif child in open_:
                    return 1 << 1000
                else:
                    open_.add(child)
                    path.append((child, iter(self._within[child])))
        return max(sizes.values(), default=0)

    def _new(self, items: Iterable[int]) -> int:
        self._within.append(list(items))
        return len(self._within) - 1

    def _popped(self, opcode: Any) -> list[int]:
        """What an instruction takes from the stack, without the container that it adds to."""
        takes = opcode.stack_before
        if pickletools.markobject in takes:
            at = self._marks.pop() if self._marks else 0
        else:
            at = max(0, len(self._stack) - len(takes) + (opcode.name in _ADDS))
        items = self._stack[at:]
        del self._stack[at:]
        return items
