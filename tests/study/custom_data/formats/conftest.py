"""What the tests of all formats share: two photos, and the reading of both parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Photos = Callable[..., list[Path]]
SIZE = (200, 100)


@pytest.fixture(scope="session")
def save_photos() -> Photos:
    """Saves different photos of 200 x 100 pixels under the given paths."""

    def save(*paths: Path) -> list[Path]:
        for i, path in enumerate(paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            seed = int.from_bytes(path.stem.encode()[-3:], "big") + i
            pixels = np.random.default_rng(seed).integers(0, 256, (5, 10, 3), np.uint8)
            Image.fromarray(pixels).resize(SIZE).save(path)
        return list(paths)

    return save
