"""Commands that are forked from a process which has imported the toolboxes already.

A small training through ``mim`` spends most of its processor time on imports: mim's own, those of the help that mim
asks for, and those of the training. Within `warm_start`, as in a study or the demo, commands fork from one process.
What a command changes, environment, working folder, registries, or a crash, stays in its fork.
"""

from __future__ import annotations

import array
import atexit
import gc
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

ADDRESS = "MMDETPRE_WARM_START"
"""Variable of the environment that names the socket; set within `warm_start`."""
TOOLBOXES = ("mmdet", "mmseg", "mmpretrain")
ROOMS = ("datasets", "evaluation", "hooks", "models", "transfer")
OTHERS = ("mmengine.runner", "matplotlib.figure", "sklearn.linear_model", "sklearn.cluster", "scipy.stats", "pandas")
"""What is imported beside the toolboxes and the registered types of this package."""
_READ_AT_IMPORT = (
    *("PYTHON", "LD_", "DYLD_", "OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "NUMBA_", "MMDETPRE_"),
    *("HF_", "HOME", "MPL", "XDG_"),
)
_SET_BY_SKLEARN = {"KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"}  # in any process that has imported it
_ADDED_BY_OPENCV = os.path.join("cv2", "..", "..", "lib64")  # to LD_LIBRARY_PATH
_LONGEST = 1 << 20  # bytes of a request
_DESCRIPTORS = 16


@contextmanager
def warm_start(env: Mapping[str, str]) -> Iterator[None]:
    """Let `run_command` fork from a warm process, which ends with this context; its commands may outlive it.

    Within another one nothing is started: commands fork from the process of that. Neither is anything where a GPU is:
    forks that use one were not tried.

    Args:
        env: Environment of the commands. Those whose variables of Python or of threads differ start by themselves.
    """
    import torch

    if ADDRESS in os.environ or torch.cuda.is_available():
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mmdetpre-") as folder:
        address = str(Path(folder, "socket"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.bind(address)
            server.listen(64)  # from here on commands wait for the imports
            command = [sys.executable, "-m", "mmdetpre.compat.warm_start", str(server.fileno())]
            # The end of its input tells the process that this one is gone.
            process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, pass_fds=[server.fileno()])
        os.environ[ADDRESS] = address
        try:
            yield
        finally:
            del os.environ[ADDRESS]
            process.terminate()  # processes that this one has forked may hold its input open
            process.communicate()


def run_command(
    words: Sequence[str],
    *,
    cwd: str | Path,
    log: int,
    env: Mapping[str, str],
    errors: int | None = None,
    keep: Sequence[int] = (),
) -> int:
    """Run a command to its end, from the warm process where there is one.

    From there come Python scripts, and ``mim train`` and ``mim test`` without a launcher, which run the toolbox's own
    script; all else, and all where no warm process is, are processes as ever.

    Args:
        words: The command.
        cwd: Its working folder.
        log: Descriptor of the file for what it writes.
        env: Its environment.
        errors: Descriptor for its standard error; that of ``log`` if not given.
        keep: Descriptors that it holds open, such as that of a lock.

    Returns:
        Exit code; that of a signal is negative.

    Example:
        >>> run_command(["true"], cwd=".", log=1, env=os.environ)
        0
    """
    errors = log if errors is None else errors
    script = _script(words)
    if script and (address := os.environ.get(ADDRESS)):
        with suppress(ConnectionRefusedError, FileNotFoundError, _Declined):
            return _ask(address, {"words": script, "cwd": str(cwd), "env": dict(env)}, [log, errors, *keep])
    done = subprocess.run(words, cwd=cwd, stdout=log, stderr=errors, env=env, pass_fds=keep)
    return done.returncode


def shown_command(words: Sequence[str], *, cwd: str | Path, env: Mapping[str, str]) -> None:
    """Print a command and run it by `run_command`, with its output where this process writes.

    Args:
        words: The command.
        cwd: Its working folder.
        env: Its environment.

    Raises:
        subprocess.CalledProcessError: If it fails.

    Example:
        >>> shown_command(["true"], cwd=".", env=os.environ)
        $ true
    """
    print("$", *words, flush=True)
    if code := run_command(words, cwd=cwd, log=1, errors=2, env=env):
        raise subprocess.CalledProcessError(code, list(words))


class _Declined(Exception):
    """The warm process was started in another environment, or ended before it began the command."""


def _script(words: Sequence[str]) -> list[str] | None:
    """The Python script of a command and its arguments; None if it starts by something else."""
    if len(words) > 1 and words[0] == sys.executable and words[1].endswith(".py"):
        return list(words[1:])
    if list(map(os.path.basename, words[:1])) != ["mim"] or words[1] not in ("train", "test"):
        return None
    from mmdetpre.compat.toolbox_commands import script_of_mim

    return script_of_mim(words)


def _ask(address: str, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(address)
        content = json.dumps(request).encode()
        packed = array.array("i", descriptors)
        connection.sendmsg([len(content).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, packed)])
        try:
            connection.sendall(content)
            answer = connection.makefile("r").read()
        except ConnectionError as error:
            raise _Declined from error
    if not answer:
        raise _Declined
    lines = answer.split()
    if len(lines) < 2:
        raise ChildProcessError("The process that the commands of this study start from is gone: start it again.")
    return int(lines[1])


def _serve(server: socket.socket) -> list[str]:
    """Fork for every request until standard input ends. Returns in the forks only: the script and its arguments."""
    given = dict(os.environ)
    if server not in select.select([server, sys.stdin.buffer], [], [])[0]:  # nobody asked, and nobody will
        os._exit(0)
    _import_all()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the commands, of the same group, get their own
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer)
    running: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        for source in (server, sys.stdin.buffer, reader):
            selector.register(source, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if reader in ready:
                os.read(reader, 4096)
                _answer_ended(running)
            if server in ready:
                connection, _ = server.accept()
                request, descriptors = _receive(connection)
                if request is None or not _same_start(given, request["env"]):
                    connection.close()
                elif pid := os.fork():
                    connection.send(b"started\n")
                    running[pid] = connection
                else:
                    selector.close()
                    for other in (*running.values(), connection, server):
                        other.close()
                    signal.set_wakeup_fd(-1)
                    _become(request, *descriptors[:2])
                    return request["words"]
                for descriptor in descriptors:
                    os.close(descriptor)
            if sys.stdin.buffer in ready:
                os._exit(0)


def _answer_ended(running: dict[int, socket.socket]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid) as connection, suppress(ConnectionError):
                connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _receive(connection: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """A request and its descriptors; None for one that was cut off."""
    size = array.array("i").itemsize
    head, ancillary, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(_DESCRIPTORS * size))
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % size])
    length = int.from_bytes(head, "big")
    content = connection.recv(length, socket.MSG_WAITALL) if 0 < length <= _LONGEST else b""
    return (json.loads(content) if len(content) == length and content else None), descriptors.tolist()


def _same_start(given: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether what is read when Python, torch or a library is loaded is the same in two environments."""
    names = {name for env in (given, wanted) for name in env if name.startswith(_READ_AT_IMPORT)}
    names -= {ADDRESS, *_SET_BY_SKLEARN}
    return all(_folders(given.get(name)) == _folders(wanted.get(name)) for name in names)


def _folders(value: str | None) -> list[str]:
    """A variable as the list of folders it may be, without those that OpenCV puts before it in each process."""
    parts = dict.fromkeys((value or "").split(os.pathsep))
    return [part for part in parts if part and not part.endswith(_ADDED_BY_OPENCV)]


def _become(request: Mapping[str, Any], log: int, errors: int) -> None:
    """Make of this fork what Python would make of ``python SCRIPT ARGUMENTS``."""
    import numpy as np

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (errors, 2)):
        os.dup2(source, target)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["words"]
    sys.path[0] = os.path.dirname(os.path.abspath(request["words"][0]))
    np.random.seed()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=True)  # type: ignore[union-attr]


def _import_all() -> None:
    import torch

    for module in OTHERS:
        import_module(module)
    for toolbox in TOOLBOXES:
        with suppress(ModuleNotFoundError):  # a study may need less than all
            import_module(f"{toolbox}.apis")
            import_module(f"{toolbox}.utils").register_all_modules(init_default_scope=False)
    for room in ROOMS:
        package = import_module(f"mmdetpre.{room}")
        for name in package.__all__:
            getattr(package, name)
    if torch.cuda.is_initialized():
        raise RuntimeError("An import initialized CUDA, which cannot be used in a fork then.")
    gc.freeze()  # a fork that collects garbage need not look at, and so copy, what was imported


def _run(script: str) -> NoReturn:
    """Run a script and end this process as Python would; but taking all the modules apart, two seconds, is left out."""
    status = 0
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if status and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        status = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()  # type: ignore[attr-defined]  # waits for those that are not daemons
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if status == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status & 0xFF)


if __name__ == "__main__":
    words = _serve(socket.socket(fileno=int(sys.argv[1])))
    from mmdetpre.compat.training_faults import tell_faults

    tell_faults()
    _run(words[0])
