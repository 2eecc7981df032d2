"""Tests mirror the package: those of a room are in the folder of its path."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "mmdetpre"
NO_ROOMS = {
    "benchmarks": "the scripts of benchmarks/",
    "cluster": "cluster runs, on a real Slurm",
    "configs": "the configs of configs/, built and trained",
    "docs": "the pages of docs/, and what all sources have to say",
    "security": "hostile files and names, through all rooms that read them",
    "tools": "the command lines of tools/",
    "tools/dev": "those of tools/dev/",
}
"""Folders of tests that are of no room of the package, and what they test."""


def names(root: Path, pattern: str) -> dict[str, set[str]]:
    """Folder below the root -> names of its files of a pattern, without suffix."""
    found: dict[str, set[str]] = {}
    for path in root.rglob(pattern):
        folder = path.parent.relative_to(root)
        if ".mim" not in folder.parts and path.stem != "__init__":
            found.setdefault(folder.as_posix(), set()).add(path.stem)
    return found


ROOMS, TESTED = names(PACKAGE, "*.py"), names(TESTS, "test_*.py")


def test_every_folder_of_tests_is_a_room_of_the_package() -> None:
    assert TESTED.keys() - ROOMS.keys() == NO_ROOMS.keys()


def test_every_room_has_tests() -> None:
    assert ROOMS.keys() - TESTED.keys() == set()


def test_a_test_named_after_a_module_is_in_its_room() -> None:
    homes: dict[str, set[str]] = {}
    for room, modules in ROOMS.items():
        for module in modules:
            homes.setdefault(f"test_{module}", set()).add(room)
    astray = {
        f"{folder}/{test}": f"the module is in {', '.join(sorted(homes[test]))}"
        for folder, tests in TESTED.items()
        for test in tests
        if folder not in NO_ROOMS and folder != "." and folder not in homes.get(test, {folder})
    }
    assert astray == {}
