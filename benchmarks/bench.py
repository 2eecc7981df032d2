"""All measurements, side by side, in one table.

    python benchmarks/bench.py                          # 20 minutes on 2 cores; `make bench`
    python benchmarks/bench.py chip_loader trimap       # some of them
    python benchmarks/bench.py --show benchmarks/results/2026-11-25-cpu.json

Each benchmark runs in a process of its own, with its defaults. Table, machine and versions go to a new file of
benchmarks/results (Markdown to read, JSON to draw and compare); nothing is overwritten. A benchmark that fails is named
with its last words, the others go on, and the command ends with 1. Ctrl-C ends it with what was measured until then.

Read ratios, not times: above 1, ours is better. "of limit" says which part of the physical limit ours reaches.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from side_by_side import Row, markdown_of, read_rows, text_of

HERE = Path(__file__).resolve().parent
BENCHMARKS = (
    "chip_mining",
    "chip_cover",
    "proposed_chips",
    "negative_mining",
    "chip_loader",
    "annotations",
    "training_step",
    "bfloat16_losses",
    "operators",
    "inference",
    "multi_scale_merge",
    "autofocus",
    "voc_ap",
    "trimap",
    "boundary_iou",
    "regularisation_sweep",
    "nearest_neighbours",
    "pair_search",
    "kmeans_sweep",
    "tsne_map",
    "mask_out_batches",
    "backbone_loading",
    "start_up",
    "tar_shards",
)
"""In the order of the table. The GPU's measurements have a command of their own."""
PACKAGES = ("numba", "opencv-python-headless", "scipy", "scikit-learn")
"""What is measured besides the host libraries."""


def machine() -> dict[str, str]:
    """Processor, cores, memory, system, and the versions of what was measured."""
    import torch

    from mmdetpre.compat.host_packages import installed_versions
    from mmdetpre.operators.stand_in import operators_in_use

    cpu = platform.processor() or platform.machine()
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    versions |= installed_versions()
    return {
        "date": date.today().isoformat(),
        "processor": f"{cpu}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB",
        "GPU": gpu,
        "load at the start": f"{os.getloadavg()[0]:.1f}",
        "commit": _commit(),
        "operators": operators_in_use(),
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
    }


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "-uno", "--", "../mmdetpre", "../configs", ".")
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def title(name: str) -> str:
    """The first line of a benchmark's docstring."""
    text = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text())) or name
    return text.splitlines()[0].rstrip(".")


def measure(name: str) -> tuple[list[Row], str]:
    """Run one benchmark; the rows that it measured, and its last words if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        found, log = Path(folder) / "rows.json", Path(folder) / "log.txt"
        command = [sys.executable, str(HERE / f"{name}.py"), "--json", str(found)]
        with open(log, "w") as file:
            code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode
        failure = "\n".join(log.read_text().strip().splitlines()[-5:]) or f"it ended with {code}"
        return read_rows(found) if found.exists() else [], failure if code else ""


def markdown(result: dict[str, Any]) -> str:
    """The whole result to read."""
    facts = [f"* {name}: {value}" for name, value in result["machine"].items()]
    parts = ["# " + f"{result['machine']['date']}: ours beside the alternatives", "", *facts]
    for topic in result["topics"]:
        rows = [Row(**row) for row in topic["rows"]]
        parts += [
            "",
            f"## {topic['title']}",
            "",
            f"`python benchmarks/{topic['name']}.py`, {topic['seconds']:.0f} s",
            "",
        ]
        parts += [markdown_of(rows)] if rows else []
        parts += [f"Failed:\n\n```text\n{topic['failure']}\n```"] if topic["failure"] else []
    return "\n".join(parts) + "\n"


def new_file(folder: Path, result: dict[str, Any]) -> Path:
    """A name that is not taken: DATE-cpu, DATE-cpu-2 ..."""
    stem = f"{result['machine']['date']}-{'cpu' if result['machine']['GPU'] == 'none' else 'gpu'}"
    names = [stem, *(f"{stem}-{i}" for i in range(2, 1000))]
    return next(folder / name for name in names if not any((folder / f"{name}.{e}").exists() for e in ("md", "json")))


def show(result: dict[str, Any]) -> None:
    for name, value in result["machine"].items():
        print(f"{name}: {value}")
    for topic in result["topics"]:
        print(f"\n{topic['title']} ({topic['seconds']:.0f} s)")
        if topic["rows"]:
            print(text_of([Row(**row) for row in topic["rows"]]))
        if topic["failure"]:
            print(f"FAILED\n{topic['failure']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all if none is given")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the results (%(default)s)")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print the table of a stored JSON file and stop")
    args = parser.parse_args()
    if unknown := sorted(set(args.names) - set(BENCHMARKS)):
        parser.error(f"no benchmark is called {', '.join(unknown)}: choose from {', '.join(BENCHMARKS)}")
    if args.show and not args.show.exists():
        parser.error(f"there is no {args.show}: name a JSON file of {HERE / 'results'}")
    if args.show:
        show(json.loads(args.show.read_text()))
        return 0
    args.out.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"machine": machine(), "topics": []}
    cores = len(os.sched_getaffinity(0))
    if float(result["machine"]["load at the start"]) > 0.3 * cores:
        print("This machine is busy: ratios will be rough, times wrong.", file=sys.stderr)
    path, stopped = new_file(args.out, result), False
    for name in args.names or BENCHMARKS:
        print(f"{name} ... ", end="", flush=True, file=sys.stderr)
        began = time.perf_counter()
        try:
            rows, failure = measure(name)
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            stopped = True
            break
        seconds = time.perf_counter() - began
        print(f"{'FAILED after ' if failure else ''}{seconds:.0f} s", file=sys.stderr)
        listed = [asdict(row) for row in rows]
        result["topics"].append(
            {"name": name, "title": title(name), "seconds": seconds, "rows": listed, "failure": failure}
        )
        path.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
        path.with_suffix(".md").write_text(markdown(result))
    show(result)
    if result["topics"]:
        print(f"\nWritten: {path.with_suffix('.md')} and .json")
    return int(stopped or any(topic["failure"] for topic in result["topics"]))


if __name__ == "__main__":
    raise SystemExit(main())
