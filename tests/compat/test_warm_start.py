"""Commands from a warm process do what they would do as processes of their own."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmdetpre.compat import toolbox_commands
from mmdetpre.compat.toolbox_commands import script_of_mim, training_command
from mmdetpre.compat.warm_start import ADDRESS, run_command, shown_command, warm_start
from mmdetpre.study.runs.run_folder import environment

ENV = environment(threads=1)
FACTS = """
import os, sys, json, threading
print(json.dumps({
    "parent_is_warm": "torch" in sys.modules, "argv": sys.argv[1:], "cwd": os.getcwd(), "name": __name__,
    "path": sys.path[0], "own": os.environ.get("OWN"), "input": sys.stdin.read(), "file": __file__,
}))
"""
Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def warm() -> Iterator[None]:
    """That of the whole suite, see tests/conftest.py."""
    address = os.environ.get(ADDRESS)
    if address is None:
        pytest.skip("a GPU is visible: there commands are processes of their own")
    with warm_start(ENV):
        assert os.environ[ADDRESS] == address, "within another one nothing is started"
        yield
    assert os.environ[ADDRESS] == address


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Function that runs a script with arguments: exit code, and what it wrote."""

    def run(code: str, *arguments: str, env: dict[str, str] = ENV, keep: tuple[int, ...] = ()) -> tuple[int, str]:
        script, log = tmp_path / "script.py", tmp_path / "log"
        script.write_text(code)
        with log.open("wb") as file:
            words = [sys.executable, str(script), *arguments]
            status = run_command(words, cwd=tmp_path, log=file.fileno(), env=env, keep=keep)
        return status, log.read_text()

    return run


def facts(output: str) -> dict[str, object]:
    import json

    return dict(json.loads(output))


@pytest.mark.usefixtures("warm")
def test_a_script_finds_what_it_would_find_by_itself(run: Run, tmp_path: Path) -> None:
    env = ENV | {"OWN": "a value"}
    status, output = run(FACTS, "--flag", "=x y", env=env)
    found = facts(output)
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py", "--flag", "=x y"], cwd=tmp_path, env=env, capture_output=True,
        text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert status == 0
    assert found.pop("parent_is_warm")
    assert found == {key: value for key, value in facts(done.stdout).items() if key != "parent_is_warm"}


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit('what to do')", 1, "what to do"),
        ("raise KeyError('depth')", 1, "KeyError: 'depth'"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("import os; os.kill(os.getpid(), 2)", -signal.SIGINT, "KeyboardInterrupt"),
        ("import atexit; atexit.register(print, 'at the end'); print('first')", 0, "first\nat the end"),
        ("import os; print('x'); os.write(2, b'y')", 0, "x\ny"),
        ("import sys; sys.exit(300)", 300 & 0xFF, ""),
        ("import sys; sys.exit([1])", 1, "[1]"),
        ("import threading as t, time; t.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()", 0, "late"),
        ("import sys; sys.excepthook = lambda kind, *_: print(kind.__name__); raise KeyError", 1, "KeyError"),
    ],
)
def test_how_it_ends_is_told(run: Run, code: str, status: int, words: str) -> None:
    found = run(code)
    assert found[0] == status
    assert words in found[1]


@pytest.mark.usefixtures("warm")
def test_what_a_command_changes_stays_in_its_fork(run: Run, tmp_path: Path) -> None:
    run("import os; from mmengine import MMLogger as L; L.get_instance('a'); os.environ['OWN'] = 'a'; os.chdir('/')")
    code = "import os; from mmengine import MMLogger as L; print(os.environ.get('OWN'), os.getcwd(), *L._instance_dict)"
    assert run(code)[1] == f"None {tmp_path}\n"


@pytest.mark.usefixtures("warm")
def test_errors_may_go_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import sys; print('out'); print('error', file=sys.stderr)")
    with (tmp_path / "out").open("wb") as out, (tmp_path / "errors").open("wb") as errors:
        words = [sys.executable, str(tmp_path / "script.py")]
        assert run_command(words, cwd=tmp_path, log=out.fileno(), errors=errors.fileno(), env=ENV) == 0
    assert [(tmp_path / name).read_text() for name in ("out", "errors")] == ["out\n", "error\n"]


@pytest.mark.usefixtures("warm")
def test_a_command_is_shown_with_its_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys; print('torch' in sys.modules); sys.exit(int(sys.argv[1]))")
    words = [sys.executable, str(script)]
    shown_command([*words, "0"], cwd=tmp_path, env=ENV)
    assert capfd.readouterr().out == f"$ {sys.executable} {script} 0\nTrue\n"
    with pytest.raises(subprocess.CalledProcessError) as failed:
        shown_command([*words, "3"], cwd=tmp_path, env=ENV)
    assert (failed.value.returncode, failed.value.cmd) == (3, [*words, "3"])


@pytest.mark.usefixtures("warm")
def test_generators_are_seeded_anew(run: Run) -> None:
    code = "import random, numpy as np; print(random.random(), np.random.random())"
    first, second = (run(code)[1].split() for _ in range(2))
    assert all(a != b for a, b in zip(first, second, strict=True))


@pytest.mark.usefixtures("warm")
def test_workers_of_a_data_loader_run(run: Run) -> None:
    code = "from torch.utils.data import DataLoader; print(sum(int(x) for x in DataLoader(range(10), num_workers=2)))"
    assert run(code) == (0, "45\n")


@pytest.mark.usefixtures("warm")
def test_a_lock_is_held_by_the_command(run: Run, tmp_path: Path) -> None:
    code = f"""
import fcntl, os
file = open({str(tmp_path / "lock")!r})
try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("held")
"""
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(code, keep=(lock.fileno(),)) == (0, "held\n")


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(("name", "value"), [("OMP_NUM_THREADS", "3"), ("HF_ENDPOINT", "http://127.0.0.1:1")])
def test_what_is_settled_by_imports_starts_by_itself(run: Run, name: str, value: str) -> None:
    """How many threads torch and NumPy have, or where the Hugging Face Hub is."""
    status, output = run(FACTS, env=ENV | {name: value})
    assert (status, facts(output)["parent_is_warm"]) == (0, False)


@pytest.mark.usefixtures("warm")
def test_what_imports_set_makes_no_difference(run: Run) -> None:
    """The process that asks for many commands has imported scikit-learn and OpenCV after a while."""
    set_by_imports = {
        "KMP_DUPLICATE_LIB_OK": "True",
        "KMP_INIT_AT_FORK": "FALSE",
        "LD_LIBRARY_PATH": "/site/cv2/../../lib64:",
    }
    status, output = run(FACTS, env=ENV | set_by_imports)
    assert (status, facts(output)["parent_is_warm"]) == (0, True)


@pytest.mark.usefixtures("warm")
def test_what_each_import_of_opencv_adds_makes_no_difference(run: Run) -> None:
    """Its wheel puts a folder of its own before LD_LIBRARY_PATH, once more in every process that imports it."""
    added = os.path.join(sys.prefix, "lib", "python3", "site-packages", "cv2", "..", "..", "lib64")
    given = ENV.get("LD_LIBRARY_PATH", "")
    status, output = run(FACTS, env=ENV | {"LD_LIBRARY_PATH": f"{added}:{added}:{given}"})
    assert (status, facts(output)["parent_is_warm"]) == (0, True)
    status, output = run(FACTS, env=ENV | {"LD_LIBRARY_PATH": f"/somewhere/else:{given}"})
    assert (status, facts(output)["parent_is_warm"]) == (0, False)


def test_without_a_warm_process_commands_are_processes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    assert facts(run(FACTS)[1])["parent_is_warm"] is False
    monkeypatch.setenv(ADDRESS, "/tmp/no/such/socket")
    assert facts(run(FACTS)[1])["parent_is_warm"] is False


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Even with one that is killed, so that nothing is left on the machine."""
    code = """
import os, signal, sys
from mmdetpre.compat.warm_start import run_command, warm_start
with warm_start(os.environ):
    run_command([sys.executable, sys.argv[1]], cwd=".", log=1, env=os.environ)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    script = tmp_path / "parent.py"
    script.write_text("import os; print(os.getppid(), flush=True)")
    env = {name: value for name, value in ENV.items() if name != ADDRESS}
    done = subprocess.run([sys.executable, "-c", code, script], env=env, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    warm = int(done.stdout.split()[-1])
    for _ in range(2000):
        if not Path(f"/proc/{warm}").exists():
            return
        time.sleep(0.05)
    pytest.fail("the warm process is still there")


def test_it_ends_with_its_context_beside_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of a pool, which are not closed yet, hold open what tells it that this process is gone."""
    monkeypatch.delenv(ADDRESS, raising=False)
    with warm_start(ENV):
        context = multiprocessing.get_context("fork")
        fork = context.Process(target=time.sleep, args=(600,))
        fork.start()
    assert fork.is_alive() and ADDRESS not in os.environ
    fork.kill()
    fork.join()


@pytest.mark.parametrize("toolbox", ["mmdet", "mmpretrain"])
def test_mim_runs_the_script_that_is_forked(toolbox: str, tmp_path: Path) -> None:
    config = tmp_path / "config.py"
    config.write_text("")
    rest = ["--work-dir", "out", "--cfg-options", "a=1"]
    train = script_of_mim(training_command(toolbox, config, *rest, "--launcher", "none"))
    assert train is not None
    assert train[0].endswith(f"{toolbox}/.mim/tools/train.py")
    assert train[1:] == [str(config), *rest]
    test = script_of_mim(toolbox_commands.testing_command(toolbox, config, "epoch_1.pth", *rest))
    assert test is not None
    assert test[1:] == [str(config), "epoch_1.pth", *rest]


@pytest.mark.parametrize("more", [["--launcher", "pytorch", "--gpus", "2"], ["--launcher=slurm"], ["-G", "2"]])
def test_launchers_stay_with_mim(more: list[str], tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text("")
    assert script_of_mim(["mim", "train", "mmdet", str(tmp_path / "config.py"), *more]) is None
