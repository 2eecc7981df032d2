"""What a failed run says last."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmdetpre.compat.training_faults import tell_faults
from mmdetpre.console.last_words import _is_mim, end_mim_quietly, error_line, few_words, raised_by_us


def failed(run: Callable[[], object]) -> BaseException:
    try:
        run()
    except Exception as error:
        return error
    raise AssertionError("it should fail")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[BaseException], str]:
    """What is on stderr when an error ends a toolbox's train.py."""

    def tell(error: BaseException) -> str:
        monkeypatch.setattr(sys, "argv", ["/somewhere/tools/train.py", "config.py"])
        monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
        monkeypatch.setattr("mmdetpre.compat.training_faults.end_mim_quietly", lambda: None)
        tell_faults()
        capsys.readouterr()
        sys.excepthook(type(error), error, error.__traceback__)
        return capsys.readouterr().err

    return tell


def test_a_wrong_data_root_is_told_by_its_message_alone(
    sample_config: Callable, said: Callable, tmp_path: Path
) -> None:
    cfg = sample_config(train_dataloader__dataset__dataset__data_root="nowhere/", experiment_name=tmp_path.name)
    error = failed(lambda: Runner.from_cfg(cfg).train())
    assert raised_by_us(error.__traceback__)
    text = said(error)
    assert text.startswith("\nFileNotFoundError: The OpenImages data is not complete. Missing:")
    assert text.rstrip().endswith("draws.") and "Traceback" not in text
    assert "Traceback" in next((tmp_path / "work").rglob("*.log")).read_text(), "the log has it"


def test_an_error_of_a_toolbox_is_told_in_few_words(sample_config: Callable, said: Callable, tmp_path: Path) -> None:
    cfg = sample_config(model__backbone__depth=19, experiment_name=tmp_path.name)
    text = said(error := failed(lambda: Runner.from_cfg(cfg)))
    log = next((tmp_path / "work").rglob("*.log"))
    first, *places, last = text.strip().splitlines()
    assert first == "KeyError: 'invalid depth 19 for resnet'" and last == f"  whole traceback: {log}"
    assert "resnet.py, line " in places[-1] and "Traceback" in log.read_text()
    assert not raised_by_us(error.__traceback__)


def test_full_gives_the_traceback_back(sample_config: Callable, said: Callable, tmp_path: Path) -> None:
    cfg = sample_config(model__backbone__depth=19, experiment_name=tmp_path.name, log_processor__console="full")
    text = said(failed(lambda: Runner.from_cfg(cfg)))
    assert "Traceback" in text and text.endswith("KeyError: 'invalid depth 19 for resnet'\n")


def test_lines_of_the_users_own_code_are_named(tmp_path: Path) -> None:
    file = tmp_path / "my_hook.py"
    file.write_text("def step(values):\n    return max(values)\n\nfrom statistics import mean\n\nstep([])\n")
    text = few_words(failed(lambda: runpy.run_path(str(file))), "run.log")
    assert f"  {file}, line 6, in <module>\n  {file}, line 2, in step\n" in text
    assert text.startswith("ValueError: ") and text.endswith("\n  whole traceback: run.log")


def test_an_assertion_without_a_message_is_told_by_its_code() -> None:
    def check() -> None:
        assert [] == [1]

    error = failed(check)
    error.args = ()  # as without pytest, which writes a message
    assert error_line(error).startswith(f"AssertionError: assert [] == [1] ({__file__}, line ")
    assert error_line(KeyboardInterrupt()) == "KeyboardInterrupt"


@HOOKS.register_module(force=True)
class FailingHook(Hook):
    """A hook as a user writes it, with a fault."""

    def before_train(self, runner: Runner) -> None:
        {}["gone"]


def test_a_users_hook_that_fails_is_found(sample_config: Callable[..., Config], said: Callable, tmp_path: Path) -> None:
    cfg = sample_config(train_dataloader__dataset__dataset__max_images=4, experiment_name=tmp_path.name)
    cfg.custom_hooks.append(dict(type="FailingHook"))
    text = said(failed(Runner.from_cfg(cfg).train))
    assert text.startswith("\nKeyError: 'gone'\n") and f"{__file__}, line " in text and "in before_train" in text


@pytest.mark.parametrize(
    ("words", "is_mim"),
    [
        (["/venv/bin/python", "/venv/bin/mim", "train", "mmdet", "config.py"], True),
        (["python", "-m", "mim", "test"], True),
        (["python", "/venv/lib/mim/__main__.py", "test", "mmseg"], True),
        (["python", "/venv/bin/torchrun", "tools/train.py"], False),
        (["python", "/venv/bin/mim", "search", "train"], False),
        (["bash", "-c", "mim train"], False),
    ],
)
def test_whose_child_this_is(tmp_path: Path, words: list[str], is_mim: bool) -> None:
    (tmp_path / "cmdline").write_bytes("\0".join([*words, ""]).encode())
    assert _is_mim(tmp_path / "cmdline") == is_mim and not _is_mim(tmp_path / "gone")


def test_another_parent_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(number))
    end_mim_quietly()
    assert not killed
    monkeypatch.setattr(os, "getppid", lambda: 999_999_999)
    end_mim_quietly()
    assert not killed
