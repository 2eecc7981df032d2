from __future__ import annotations

import pytest


@pytest.fixture
def unformatted(monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine lays out the config's text for each checkpoint, which takes longer than these trainings: not here."""
    for place in ("mmengine.config.config.FormatCode", "yapf.yapflib.yapf_api.FormatCode"):  # 0.10, and newer
        monkeypatch.setattr(place, lambda text, **style: (text, True), raising=False)
