from __future__ import annotations

import pytest

from mmdetpre.cli.model_arguments import named_models


def test_reads_names_and_files_in_order() -> None:
    models = named_models(["b=x.py,y.pth", "a=x.py,https://host/a=b,c.pth"])
    assert list(models) == ["b", "a"] and models["b"] == ("x.py", "y.pth")
    assert models["a"].checkpoint == "https://host/a=b,c.pth"


@pytest.mark.parametrize("argument", ["x.py,y.pth", "a=x.py", "=x.py,y.pth", "a=,y.pth", "a=x.py,"])
def test_shows_the_form(argument: str) -> None:
    with pytest.raises(ValueError, match="another form than NAME=CONFIG,CHECKPOINT, such as"):
        named_models([argument])


def test_refuses_one_name_for_two() -> None:
    with pytest.raises(ValueError, match="Two models are called 'a'"):
        named_models(["a=x.py,y.pth", "a=x.py,z.pth"])
