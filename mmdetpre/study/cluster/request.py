"""What a run of a study asks of a cluster: the settings ``slurm`` and ``kubernetes`` of its file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mmdetpre.study.spec_checks import require_keys, require_types, whole_number

MEMORY_PER_CORE = 4096
"""MiB that a run asks for per core, where the file does not say."""
_MEMORY = {"M": 1, "G": 1024, "T": 1024**2}
GPU_MANUFACTURERS = ("nvidia", "amd")
_TIME = {"m": 1, "h": 60, "d": 24 * 60}
_OURS = (
    *("job-name", "output", "error", "parsable", "export", "comment", "chdir", "wrap", "array", "clusters"),
    *("ntasks", "ntasks-per-node", "ntasks-per-gpu", "cpus-per-task", "cpus-per-gpu", "gres", "gpus", "nodes"),
    *("mem", "mem-per-cpu", "time", "account", "partition"),
)
"""Options of sbatch that the study or Snakemake set themselves."""


@dataclass(frozen=True)
class SlurmRequest:
    """What each run asks of Slurm; it always has one node.

    Attributes:
        partition: Name of the partition; None: the cluster's own.
        account: Account that is charged; None: the user's own.
        memory: Memory of a run in MiB; None: 4 GiB per core.
        time: Limit of a run in minutes; None: the partition's own.
        cpus: Cores of a run, apart from ``threads``, the threads of one process; None: enough for its loaders.
        gpus: GPUs of a run that trains; 0 on a partition without; None: those of ``launch``.
        extra: Further options of ``sbatch``.

    Example:
        >>> SlurmRequest(partition="gpu", time=90).resources(gpus=2, cpus=6)["slurm_partition"]
        'gpu'
    """

    partition: str | None = None
    account: str | None = None
    memory: int | None = None
    time: int | None = None
    cpus: int | None = None
    gpus: int | None = None
    extra: tuple[str, ...] = ()

    def resources(self, gpus: int, cpus: int) -> dict[str, int | str]:
        """Resources of a run, in the words of Snakemake's executor.

        Args:
            gpus: Its GPUs.
            cpus: Cores that it can use.
        """
        cpus = self.cpus or cpus
        given: dict[str, int | str | None] = {
            "nodes": 1,
            "gpu": gpus,
            "cpus_per_task": cpus,
            "mem_mb": self.memory or cpus * MEMORY_PER_CORE,
            "runtime": self.time,
            "slurm_partition": self.partition,
            "slurm_account": self.account,
            "slurm_extra": shlex.join(self.extra) or None,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class KubernetesRequest:
    """What each run asks of Kubernetes.

    Attributes:
        memory: Memory of a run in MiB; None: 4 GiB per core.
        cpus: Cores of a run, apart from ``threads``, the threads of one process; None: enough for its loaders.
        gpus: GPUs of a run that trains; 0 without; None: those of ``launch``.
        gpu_manufacturer: ``nvidia`` or ``amd``.
        root: Folder of the pods that the study's folder is made in, and that relative paths of data are of.

    Example:
        >>> KubernetesRequest().resources(gpus=0, cpus=2)
        {'cpus_per_task': 2, 'mem_mb': 8192, 'scale': 0}
    """

    memory: int | None = None
    cpus: int | None = None
    gpus: int | None = None
    gpu_manufacturer: str = "nvidia"
    root: str = "/study"

    def resources(self, gpus: int, cpus: int) -> dict[str, int | str]:
        """Resources of a run, in the words of Snakemake's executor.

        Args:
            gpus: Its GPUs.
            cpus: Cores that it can use.
        """
        cpus = self.cpus or cpus
        # Kubernetes gives GPUs only to whom they are a limit, which the executor sets without `scale`.
        given: dict[str, int | str] = {
            "cpus_per_task": cpus,
            "mem_mb": self.memory or cpus * MEMORY_PER_CORE,
            "scale": 0,
        }
        return given | ({"gpu": gpus, "gpu_manufacturer": self.gpu_manufacturer} if gpus else {})


def read_kubernetes(value: Mapping[str, Any] | None, where: str) -> KubernetesRequest:
    """The settings ``kubernetes`` of a study's file.

    Args:
        value: The settings; None: there are none.
        where: What they are called in errors.

    Raises:
        ValueError: If one is wrong; the message names it.

    Example:
        >>> read_kubernetes({"gpu_manufacturer": "amd"}, "study.yaml: kubernetes").gpu_manufacturer
        'amd'
    """
    value = {} if value is None else value
    require_keys(value, [f.name for f in fields(KubernetesRequest)], (), where)
    require_types(value, where)
    request = KubernetesRequest(
        memory=_memory(value, where),
        gpu_manufacturer=str(value.get("gpu_manufacturer") or "nvidia"),
        root=str(value.get("root") or "/study"),
        **_counts(value, where),
    )
    if request.gpu_manufacturer not in GPU_MANUFACTURERS:
        known = ", ".join(GPU_MANUFACTURERS)
        raise ValueError(f"{where}: gpu_manufacturer is {request.gpu_manufacturer!r}: choose one of {known}.")
    if not re.fullmatch(r"(/[\w.-]+)+", request.root) or ".." in request.root.split("/"):
        raise ValueError(f"{where}: root is {request.root!r}: give the path of a folder of the pods, such as /study.")
    return request


def read_slurm(value: Mapping[str, Any] | None, where: str) -> SlurmRequest:
    """The settings ``slurm`` of a study's file.

    Args:
        value: The settings; None: there are none.
        where: What they are called in errors.

    Raises:
        ValueError: If one is wrong; the message names it.

    Example:
        >>> read_slurm({"partition": "gpu", "memory": "32G", "time": "1d 12h", "gpus": 0}, "study.yaml: slurm").time
        2160
    """
    value = {} if value is None else value
    require_keys(value, [f.name for f in fields(SlurmRequest)], (), where)
    require_types(value, where)
    return SlurmRequest(
        partition=_name(value, "partition", where),
        account=_name(value, "account", where),
        memory=_memory(value, where),
        time=_amount(value.get("time"), _TIME, "m", f"{where}: time", "a text such as '12h', '90m' or '1d 12h'"),
        extra=_options(value.get("extra") or [], f"{where}: extra"),
        **_counts(value, where),
    )


def _name(value: Mapping[str, Any], key: str, where: str) -> str | None:
    name = value.get(key)
    if name is not None and not re.fullmatch(r"[\w.@+][\w.@+,-]*", name):
        raise ValueError(f"{where}: {key} is {name!r}, which Slurm knows no name like: write one that it knows.")
    return name


def _counts(value: Mapping[str, Any], where: str) -> dict[str, int | None]:
    return {
        name: None if value.get(name) is None else whole_number(value[name], least, f"{where}: {name}")
        for name, least in (("cpus", 1), ("gpus", 0))
    }


def _memory(value: Mapping[str, Any], where: str) -> int | None:
    return _amount(value.get("memory"), _MEMORY, "M", f"{where}: memory", "a text such as '32G' or '500M'")


def _amount(value: Any, units: Mapping[str, int], smallest: str, where: str, expected: str) -> int | None:
    """A sum of numbers with units, in the smallest unit."""
    if value is None:
        return None
    letters = "".join(units)
    if not isinstance(value, str) or not re.fullmatch(rf"\s*(\d{{1,9}}\s*[{letters}]\s*)+", value, re.IGNORECASE):
        raise ValueError(f"{where} is {value!r}, expected {expected}.")
    same = {unit.lower(): factor for unit, factor in units.items()}
    total = sum(int(n) * same[u.lower()] for n, u in re.findall(rf"(\d+)\s*([{letters}])", value, re.IGNORECASE))
    if total < 1:
        raise ValueError(f"{where} is {value!r}: give at least 1{smallest}.")
    return total


def _options(value: list[Any], where: str) -> tuple[str, ...]:
    for option in value:
        if not isinstance(option, str) or not re.match(r"--[a-z]", option):
            raise ValueError(f"{where}: {option!r} is not an option of sbatch: write long ones, such as '--qos=long'.")
        if (name := option[2:].split("=")[0].split()[0]) in _OURS:
            raise ValueError(f"{where}: --{name} is set by the study: there are {_known()} for it.")
    return tuple(value)


def _known() -> str:
    return "the keys " + ", ".join(f.name for f in fields(SlurmRequest) if f.name != "extra")
