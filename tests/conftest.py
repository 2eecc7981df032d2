"""Fixtures of the whole suite."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Directory of small real data sets next to the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real photos and annotations are not here: ../shared/data is missing")
    return SHARED_DATA
