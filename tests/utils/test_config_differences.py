"""In which values configs differ."""

from __future__ import annotations

from mmdetpre.utils.config_differences import config_differences


def test_keys_lists_and_types() -> None:
    first = {"a": {"b": 1, "c": (1, 2)}, "steps": [{"type": "A"}, {"type": "B"}], "lr": 0.1, "nan": float("nan")}
    second = {"a": {"c": [1, 2], "b": 1}, "steps": [{"type": "A"}, {"type": "C"}], "lr": "0.1", "nan": float("nan")}
    assert config_differences([first, second]) == {"steps.1.type": ("'B'", "'C'"), "lr": ("0.1", "'0.1'")}
    assert config_differences([first, first | {"steps": []}, first]) == {
        "steps": ("[{'type': 'A'}, {'type': 'B'}]", "[]", "[{'type': 'A'}, {'type': 'B'}]")
    }
    assert config_differences([{"a": True}, {"a": 1}]) == {"a": ("True", "1")}


def test_noise_and_long_values() -> None:
    where = {"work_dir": "a", "evaluator": {"outfile_prefix": "a/b", "type": "A"}}
    assert config_differences([where, {"work_dir": "b", "evaluator": {"type": "A"}}]) == {}
    ((text, other),) = config_differences([{"x": list(range(500))}, {}]).values()
    assert len(text) == 300 and text.endswith("...") and other == "not set"
