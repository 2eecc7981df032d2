"""mmengine lays out the text of a config once, and gives the same text as before."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.config import config as mmengine_config
from yapf.yapflib import yapf_api

from mmdetpre.compat.config_text import keep_results, lay_out_once

CONFIG = Path(__file__).parents[2] / "configs" / "det" / "sniper_openimages_sample.py"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that yapf itself is given."""
    texts: list[str] = []

    def count(text: str, **options: object) -> object:
        texts.append(text)
        return _FORMAT_CODE(text, **options)

    for module in (mmengine_config, yapf_api):
        if hasattr(module, "FormatCode"):  # a newer mmengine imports it when it lays out
            monkeypatch.setattr(module, "FormatCode", count)
    return texts


_FORMAT_CODE = yapf_api.FormatCode


def test_a_config_is_laid_out_once(calls: list[str], tmp_path: Path) -> None:
    cfg = Config.fromfile(CONFIG)
    before = cfg.pretty_text
    lay_out_once()
    assert [cfg.pretty_text for _ in range(3)] == [before] * 3
    cfg.dump(tmp_path / "config.py")
    assert (tmp_path / "config.py").read_text() == before and len(calls) == 2
    cfg.model.backbone.depth = 34
    assert "depth=34" in cfg.pretty_text and len(calls) == 3
    assert max(map(len, before.splitlines())) < 120, "as yapf lays it out"


def test_only_equal_arguments_have_one_result() -> None:
    module = SimpleNamespace(FormatCode=lambda text, **options: (text, sorted(options.items())))
    given = [("a", {"b": 1}), ("a", {"b": 2}), ("a", {"c": 1}), ("d", {"b": 1})]
    plain = [module.FormatCode(text, style_config=style, verify=True) for text, style in given]
    keep_results(module)  # type: ignore[arg-type]
    for _ in range(2):
        assert [module.FormatCode(text, style_config=style, verify=True) for text, style in given] == plain


def test_a_text_that_cannot_be_laid_out_stays_an_error() -> None:
    module = ModuleType("example")
    module.FormatCode = _FORMAT_CODE  # type: ignore[attr-defined]
    keep_results(module)
    for _ in range(2):
        with pytest.raises(Exception, match="invalid syntax"):
            module.FormatCode("a = = 1", style_config={"based_on_style": "pep8"})
