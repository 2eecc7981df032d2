from __future__ import annotations

from pathlib import Path

import pytest

from mmdetpre.sample import make_sample


@pytest.fixture(scope="session")
def openimages_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample(tmp_path_factory.mktemp("sample") / "source", train=60, validation=15, progress=False)
