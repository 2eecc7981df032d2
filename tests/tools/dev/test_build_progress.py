from __future__ import annotations

import importlib.util
import io
from pathlib import Path

OUTPUT = "running build_ext\n[1/2] c++ -c one.cpp\nwarning: two\n[2/2] c++ -c two.cpp\n"


def test_progress_shows_the_last_step_and_the_log_keeps_all(repository: Path) -> None:
    spec = importlib.util.spec_from_file_location("build_progress", repository / "tools" / "dev" / "build_progress.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    log, screen = io.StringIO(), io.StringIO()
    module.show(io.StringIO(OUTPUT), log, screen)
    assert log.getvalue() == OUTPUT
    assert screen.getvalue() == "      2 of 2 files compiled, 0 s\n"
