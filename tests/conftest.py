"""Fixtures and settings of the whole suite."""

from __future__ import annotations

import copy
import functools
import gc
import importlib.util
import itertools
import logging
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

# Set before NumPy and torch start their thread pools: many small tests are faster on one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")  # as mmengine sets it: else commands would not fork from the warm process
# Threads that wait must not spin: on shared cores they take the time of those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Where it is set, every process of the suite, and those are hundreds, compiles this package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# The suite runs on the CPU everywhere: mmengine would move models to any GPU that torch sees, where mmcv may have no
# operators and results differ in the last digits. MMDETPRE_TEST_GPU=1 leaves the GPU visible, and the tests that take
# `device` run there. torch looks once, so this stands before its import; the tools that tests start inherit it.
if os.environ.get("MMDETPRE_TEST_GPU") != "1":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

torch.set_num_threads(1)
# The first call of a compiled kernel takes seconds, so no deadline; the same examples on every machine.
settings.register_profile("mmdetpre", deadline=None, derandomize=True)
settings.load_profile("mmdetpre")

if TYPE_CHECKING:
    from mmengine.config import Config

Run = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    help = "how long each reader is given damaged files (%(default)s)"
    parser.addoption("--fuzz-seconds", type=float, default=0.4, metavar="N", help=help)


def pytest_configure(config: pytest.Config) -> None:
    """What all processes of the suite share: a cache, and one process with the imports, from which commands fork.

    Tools that tests start inherit both. The process imports when it is first asked.
    """
    _read_each_shipped_config_once()
    if hasattr(config, "workerinput"):  # a process of xdist, which has inherited them too
        return
    from mmdetpre.compat.warm_start import warm_start
    from mmdetpre.study.runs.run_folder import environment

    held = ExitStack()
    config.add_cleanup(held.close)
    os.environ["MMDETPRE_CACHE"] = held.enter_context(tempfile.TemporaryDirectory(prefix="mmdetpre-cache-"))
    held.enter_context(warm_start(environment(threads=1)))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One process more than cores for ``-n auto``: tests of clusters, servers and commands wait for others."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ or not hasattr(os, "sched_getaffinity"):
        return None
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that none of them is what all wait for in the end.

    With ``--dist worksteal`` each process starts with an equal part of the list, so slow files are dealt out to those
    parts; the other files fill them in their order, which keeps a folder, and what its tests share, mostly together.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    slow = {path: sum("slow" in item.keywords for item in tests) for path, tests in files.items()}
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    parts: list[list[Path]] = [[] for _ in range(processes)]
    for path in sorted(files, key=slow.__getitem__, reverse=True):
        counts = [sum(len(files[one]) for one in part) for part in parts]
        if slow[path]:
            best = min(range(processes), key=lambda k: sum(slow[one] for one in parts[k]))
        else:
            best = next((k for k, count in enumerate(counts) if count < len(items) / processes), -1)
        parts[best].append(path)
    items[:] = [item for part in parts for path in part for item in files[path]]


def pytest_collection_finish() -> None:
    """What was imported stays: neither collections of garbage nor processes that are forked need to go through it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _beside(name: str) -> ModuleType:
    """A module of this folder, which processes of a data loader find by its name too."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def hold(request: pytest.FixtureRequest):
    """Function ``hold(read, path)`` that damages a file and reads it for ``--fuzz-seconds``, see tests/mutations.py."""
    return functools.partial(_beside("mutations").hold, seconds=request.config.getoption("--fuzz-seconds"))


@pytest.fixture(autouse=True)
def _default_scope() -> Iterator[None]:
    """mmengine's default scope is global: what one test sets must not decide which types another one finds."""
    from mmengine.registry import DefaultScope

    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)
    # So are visualizers, named by the second: the next run of that second would write into the folder of this one.
    visualizers = [module.Visualizer] if (module := sys.modules.get("mmengine.visualization")) else []
    for kind in visualizers:
        kind._instance_dict.clear()
        visualizers += kind.__subclasses__()
    logging.disable(logging.NOTSET)  # benchmarks are quiet
    # So are loggers, which write to the output of the test that made them, and what runs tell each other.
    if module := sys.modules.get("mmengine.logging"):
        for kind in (module.MMLogger, module.MessageHub):
            kind._instance_dict.clear()


@pytest.fixture(scope="session", autouse=True)
def _unformatted_configs() -> Iterator[None]:
    """mmengine lays out the config's text as a run starts, which takes longer than most trainings of the suite.

    Tools that tests start do it.
    """
    with pytest.MonkeyPatch.context() as patch:
        for module in map(importlib.import_module, ("mmengine.config.config", "yapf.yapflib.yapf_api")):
            if hasattr(module, "FormatCode"):  # a newer mmengine imports it when it lays out
                patch.setattr(module, "FormatCode", lambda text, **options: (text, True))
        yield


@pytest.fixture(scope="session", autouse=True)
def _a_second_for_each_run() -> Iterator[None]:
    """mmengine names loggers, visualizers and the folders of logs by the second: no two runs of a process share one."""
    from mmengine.runner import runner

    last = 0.0

    def next_second() -> float:
        nonlocal last
        last = max(time.time(), last + 1)
        return last

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "time", SimpleNamespace(**vars(time) | {"time": next_second}))
        yield


def _read_each_shipped_config_once() -> None:
    """mmengine needs a tenth of a second for most of them, and hundreds of tests read one."""
    from mmengine.config import Config

    read, shipped = Config._file2dict, f"{ROOT / 'configs'}{os.sep}"
    known: dict[tuple, tuple] = {}

    def once(filename: str | Path, *args: Any, **kwargs: Any) -> tuple:
        key = (os.path.abspath(filename), args, *sorted(kwargs.items()))
        if not key[0].startswith(shipped):
            return read(filename, *args, **kwargs)
        if key not in known:
            known[key] = read(filename, *args, **kwargs)
        return copy.deepcopy(known[key])

    Config._file2dict = staticmethod(once)


@pytest.fixture(scope="session", autouse=True)
def _nothing_waits() -> Iterator[None]:
    """Nobody cuts the power of this disk, and mmengine sleeps two seconds when an iteration loop has seen all data."""
    from mmengine.runner import loops

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        patch.setattr(loops, "time", SimpleNamespace(**vars(time) | {"sleep": lambda seconds: None}))
        yield


class _NoPool:
    """In place of ``multiprocessing.Pool``: the work is done here, without processes or threads."""

    def __init__(self, processes: int) -> None:
        pass

    def starmap(self, function: Callable, arguments: Iterable[tuple]) -> list:
        return list(itertools.starmap(function, arguments))

    def close(self) -> None:
        pass


@pytest.fixture(scope="session", autouse=True)
def _mmdet_counts_here() -> None:
    """mmdet forks processes for each average precision, which takes longer than a few images need."""
    from mmdetpre.utils.when_imported import when_imported

    when_imported("mmdet.evaluation.functional.mean_ap", lambda module: setattr(module, "Pool", _NoPool))


@pytest.fixture(scope="session")
def device() -> str:
    """Where detectors are tested: on the GPU with MMDETPRE_TEST_GPU=1, else on the CPU."""
    return "cuda" if os.environ.get("MMDETPRE_TEST_GPU") == "1" else "cpu"


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def tracked_files() -> list[Path]:
    """The files of the project, as git knows them."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files belong to the project")
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Directory of small real data sets next to the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real photos and annotations are not here: ../shared/data is missing")
    return SHARED_DATA


@pytest.fixture(scope="session")
def tiny_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn sample in OpenImages layout, with 24 training and 6 validation images."""
    from mmdetpre.sample import make_sample

    return make_sample(tmp_path_factory.mktemp("data") / "sample", train=24, validation=6, progress=False)


@pytest.fixture(scope="session")
def tiny_coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn sample in COCO's layout, with 24 training and 6 validation images."""
    return _tiny_layout(tmp_path_factory, "coco")


@pytest.fixture(scope="session")
def tiny_voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn sample in VOC's layout, with 24 training and 6 validation images."""
    return _tiny_layout(tmp_path_factory, "voc")


@pytest.fixture(scope="session")
def tiny_imagenet_loc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn sample in the layout of ImageNet's boxes, with 24 training and 6 validation images."""
    return _tiny_layout(tmp_path_factory, "imagenet_loc")


def _tiny_layout(tmp_path_factory: pytest.TempPathFactory, layout: str) -> Path:
    from mmdetpre.sample import make_sample

    root = tmp_path_factory.mktemp("data") / f"sample_{layout}"
    return make_sample(root, layout=layout, train=24, validation=6, progress=False)


@pytest.fixture(scope="session")
def narrow_config() -> ModuleType:
    """The module ``narrow_models``: narrow copies of full-size models, and one step of training and testing."""
    return _beside("narrow_models")


@pytest.fixture(scope="session")
def forked_ranks() -> Callable[..., list]:
    """Function ``forked_ranks(count, work)``: what ``work(rank)`` gives on each rank, see tests/forked_ranks.py."""
    return _beside("forked_ranks").forked_ranks


@pytest.fixture
def small_run(tmp_path: Path) -> Callable:
    """Function that builds a training of a few steps, see tests/small_run.py."""
    return _beside("small_run").small_runs(tmp_path)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running Slurm with pretended GPUs, see tests/own_slurm.py; one per process of the suite that asks for it."""
    own = _beside("own_slurm")
    if absent := own.missing():
        pytest.skip(f"no Slurm: {', '.join(absent)} not installed, see tests/own_slurm.py for the packages")
    with own.own_slurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def sample_config(config_of_sample: Callable[..., Config], tmp_path: Path) -> Callable[..., Config]:
    """Function that gives the sample's SNIPER config over the tiny sample, changed by keyword (dotted) options."""
    return functools.partial(config_of_sample, tmp_path / "work")


@pytest.fixture(scope="session")
def config_of_sample(tiny_sample: Path) -> Callable[..., Config]:
    """The same with the work dir as its first argument, for trainings that several tests look at."""
    from mmengine.config import Config

    def make(work_dir: Path, /, **options: object) -> Config:
        cfg = Config.fromfile(ROOT / "configs" / "det" / "sniper_openimages_sample.py")
        root = str(tiny_sample) + "/"
        cfg.merge_from_dict(
            {
                "train_dataloader.dataset.dataset.data_root": root,
                "train_dataloader.num_workers": 0,
                "train_dataloader.persistent_workers": False,
                "val_dataloader.dataset.data_root": root,
                "val_dataloader.num_workers": 0,
                "val_dataloader.persistent_workers": False,
                "test_dataloader.dataset.data_root": root,
                "test_dataloader.num_workers": 0,
                "test_dataloader.persistent_workers": False,
                "work_dir": str(work_dir),
                "randomness": {"seed": 0},
                "default_hooks.logger.interval": 1,
            }
            | {key.replace("__", "."): value for key, value in options.items()}
        )
        return cfg

    return make


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """Address of a folder served over http, and a cache of its own."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    served = tmp_path / "served"
    served.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served))) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}", served
        httpd.shutdown()
        thread.join()


@pytest.fixture
def fake_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Hugging Face Hub of its own, see tests/fake_hub.py, for this process and those that it starts."""
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    module = _beside("fake_hub")
    home = tmp_path / "hf_home"
    with module.serve(module.FakeHub()) as hub:
        environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), "HF_TOKEN": module.TOKEN}
        for key, value in (environment | {"HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}).items():
            monkeypatch.setenv(key, value)
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        template = f"{hub.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        close_session()
        yield hub
        close_session()


@pytest.fixture
def far(tmp_path: Path) -> Iterator[ModuleType]:
    """A server of this machine for the folder ``far.folder``, which knows ranges and fails as it is told."""
    folder = tmp_path / "far"
    folder.mkdir()
    with _beside("file_servers").far_folder(folder) as server:
        yield server


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], str]]:
    """Function ``bucket(folder)`` that gives the s3:// address of a folder's files, on a server of this machine."""
    with _beside("file_servers").s3_bucket(monkeypatch) as put:
        yield put


@pytest.fixture
def run_warm(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Function that runs a script of Python, ``mim train`` or ``mim test`` in a fork of a process with the imports.

    See mmdetpre/compat/warm_start.py, also for when it is a process of its own after all. Each kind of command is
    started plainly by some test too: a user has no such process.
    """
    from mmdetpre.compat.warm_start import run_command
    from mmdetpre.study.runs.run_folder import environment

    def run(command: Sequence[object], cwd: Path | str = ".") -> subprocess.CompletedProcess[str]:
        words = list(map(str, command))
        folder = tmp_path_factory.mktemp("run_warm")
        out, err = folder / "out", folder / "err"
        with out.open("wb") as output, err.open("wb") as errors:
            status = run_command(
                words, cwd=Path(cwd).absolute(), log=output.fileno(), errors=errors.fileno(), env=environment(threads=1)
            )
        return subprocess.CompletedProcess(words, status, out.read_text(), err.read_text())

    return run


@pytest.fixture
def run_tool(run_warm: Run) -> Run:
    """Function that runs a tool in a process of its own, a fork; once per tool, the rest by `run_tool_here`."""
    return lambda tool, *arguments: run_warm([sys.executable, tool, *arguments])


@pytest.fixture
def run_tool_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Function that runs a tool in this process, with the same result."""

    def run(tool: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(tool), *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", command)
        capsys.readouterr()
        status: int | str | None = 0
        try:
            runpy.run_path(str(tool), run_name="__main__")
        except SystemExit as stopped:
            status = stopped.code
        output, errors = capsys.readouterr()
        if isinstance(status, str):
            return subprocess.CompletedProcess(command, 1, output, f"{errors}{status}\n")
        return subprocess.CompletedProcess(command, status or 0, output, errors)

    return run
