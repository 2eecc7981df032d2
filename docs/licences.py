"""Write docs/licences.md from requirements/lock.txt and what the installed packages say; a test holds the page to it.

Example: python docs/licences.py

A package that is locked for another Python or system keeps the row it has; a new one must be installed once.
"""

from __future__ import annotations

import fnmatch
import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
HEAD = """# Licences

Every package that `make setup` installs, by [requirements/lock.txt](contributing.md#packages), and the licence that it
states. mmdetpre itself is Apache-2.0. Nothing of these packages is part of mmdetpre's own wheel.

Permissive are {permissive} of {all}. A word about each of the others, and about wheels that carry libraries under
another licence:

| package | licence | what that means here |
| --- | --- | --- |
"""
ALL = """
## All packages

| package | licence |
| --- | --- |
"""
FOOT = """
This page is written by `python docs/licences.py` from the metadata of the packages.
"""

PERMISSIVE = re.compile(
    r"MIT|MIT-0|MIT-CMU|0?BSD(-\d-Clause)?|FreeBSD|Apache(-2\.0)?|LLVM-exception|PSF(-2\.0)?|CNRI-Python|Zlib|CC0-1\.0|ISC|"
    r"Unlicense|Public Domain"
)
MPL = "a changed file of the package stays under the MPL; we change none, and it is only installed and imported"
NVIDIA = "comes with torch for CUDA; NVIDIA's terms allow its use. Without a GPU it is not used"
GCC = "its wheels carry run-time libraries of GCC, under the GPL with the exception for what links to them"
NOTES = {
    "certifi": MPL,
    "hypothesis": f"for the tests only; {MPL}",
    "pathspec": f"for mypy only; {MPL}",
    "lmdb": "for the tests only; the licence of OpenLDAP, which asks for its notice as BSD's do",
    "tqdm": MPL,
    "docutils": "for the documentation only; the GPL is that of an Emacs mode beside the library",
    "nvidia-*": NVIDIA,
    "cuda-toolkit": "a list of NVIDIA's packages, without files of its own",
    "opencv-python": "its wheels carry FFmpeg and Qt under the LGPL, as libraries that can be exchanged",
    "shapely": "its wheels carry GEOS under the LGPL, as a library that can be exchanged; mmpretrain requires it",
    "numpy": GCC,
    "scipy": GCC,
    "scikit-learn": GCC,
    "torch": GCC,
}
"""Name or pattern -> what a licence that is not permissive means for a user; without a word the test fails."""

SPELT = {
    r"Apache (Software )?License(,? Version)? ?2?(\.0)?|Apache 2\.0|Apache License": "Apache-2.0",
    r"MIT License|The MIT License.*": "MIT",
    r"ISC License( \(ISCL\))?": "ISC",
    r"(The )?(New |Modified )?BSD License|BSD": "BSD",
    r"BSD 3-Clause.*|3-Clause BSD License": "BSD-3-Clause",
    r"Mozilla Public License 2\.0 \(MPL 2\.0\)": "MPL-2.0",
    r"Python Software Foundation License|PSF": "PSF-2.0",
    r"GNU General Public License \(GPL\)": "GPL",
    r"LicenseRef-NVIDIA-Proprietary|NVIDIA Proprietary Software|Other/Proprietary License": "NVIDIA proprietary",
}


def locked_names(root: Path = ROOT) -> list[str]:
    """The packages of the lock, once each."""
    lines = (root / "requirements" / "lock.txt").read_text().splitlines()
    return sorted({line.split("==")[0] for line in lines if re.match(r"\w", line)})


def licence(name: str) -> str | None:
    """What an installed package states, spelt as SPDX does; None if it is not installed.

    The expression of newer metadata first, then the classifiers, the free text, and the first line of its file.
    """
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    said = found.metadata
    if expression := said.get("License-Expression"):
        return _spelt(expression)
    classes = [text.split(" :: ")[-1] for text in said.get_all("Classifier", []) if text.startswith("License :: ")]
    classes = [_spelt(text) for text in classes if text != "OSI Approved"]
    text = (said.get("License") or "").strip()
    line = text.splitlines()[0] if text and len(text) < 100 and text != "UNKNOWN" else ""
    if classes:
        return " AND ".join(classes)
    return _spelt(line or _first_line(found) or "not stated")


def is_permissive(stated: str) -> bool:
    """Whether all parts of an expression are permissive licences, or one of alternatives is."""
    return any(
        all(PERMISSIVE.fullmatch(part.strip(" ()")) for part in re.split(r" AND | WITH |,", choice))
        for choice in stated.split(" OR ")
    )


def pattern_of(name: str) -> str | None:
    """The entry of `NOTES` that is about a package."""
    return next((pattern for pattern in NOTES if fnmatch.fnmatch(name, pattern)), None)


def rows(page: Path = PAGE) -> dict[str, str]:
    """Package -> licence; for packages that are not installed, what the page has.

    Raises:
        LookupError: If a package is neither installed nor on the page.
    """
    text = page.read_text() if page.exists() else ""
    before = dict(re.findall(r"^\| (\S+) \| ([^|]+) \|$", text, flags=re.MULTILINE))
    found = {name: licence(name) or before.get(name, "") for name in locked_names()}
    if unknown := [name for name, stated in found.items() if not stated]:
        raise LookupError(f"{', '.join(unknown)}: install what the lock has, for its licence to be read.")
    return found


def page_text(found: dict[str, str]) -> str:
    """The page.

    Raises:
        LookupError: If a licence is not permissive and `NOTES` has no word about it.
    """
    others = [name for name in found if not is_permissive(found[name])]
    if untold := [f"{name} ({found[name]})" for name in others if pattern_of(name) is None]:
        raise LookupError(f"Not permissive, and not a word about it in NOTES: {', '.join(untold)}.")
    told = {pattern_of(name): stated for name, stated in found.items() if pattern_of(name)}
    head = HEAD.format(permissive=len(found) - len(others), all=len(found))
    words = "".join(f"| {pattern} | {stated} | {NOTES[pattern]} |\n" for pattern, stated in told.items())
    return head + words + ALL + "".join(f"| {name} | {stated} |\n" for name, stated in found.items()) + FOOT


def _spelt(text: str) -> str:
    for pattern, spelt in SPELT.items():
        if re.fullmatch(pattern, text.strip()):
            return spelt
    return text.strip()


def _first_line(found: metadata.Distribution) -> str:
    """First line of the licence file that says something."""
    for file in found.files or []:
        if re.match(r"licen[cs]e|copying", file.name, re.IGNORECASE):
            lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
            return next((line for line in lines if re.search(r"licen[cs]e", line, re.IGNORECASE)), "")
    return ""


def main() -> None:
    PAGE.write_text(page_text(rows()))


if __name__ == "__main__":
    main()
