"""The site builds without a warning and without network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the site needs the packages of requirements/docs.txt")


@pytest.mark.slow
def test_the_site_builds_strictly(repository: Path, tmp_path: Path) -> None:
    options = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(tmp_path / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, "docs", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-4000:]
    pages = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.html")}
    sources = {path.relative_to(repository / "docs").with_suffix(".html").as_posix() for path in
               (repository / "docs").rglob("*.md")}  # fmt: skip
    assert sources <= pages
    reference = (tmp_path / "site" / "api" / "names_in_configs.html").read_text(encoding="utf-8")
    assert 'id="mmdetpre.datasets.chips.dataset.ChipDataset"' in reference
