"""A backbone moves through the three toolboxes on synthetic data: mmdet, mmsegmentation, mmpretrain, and back to mmdet.

Each training is what the printed `mim train` runs; hooks of the configs write the backbone after it and load it before
the next. At the end stand the verdicts of the three loads, whose reports are in the work dirs, and their digests.

Example: python tools/misc/move_backbone.py

Steps whose results exist are skipped; to start from scratch, remove the folder that is printed at the end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mmdetpre.compat.toolbox_commands import training_command
from mmdetpre.compat.warm_start import shown_command, warm_start
from mmdetpre.sample import make_sample
from mmdetpre.study.runs.run_folder import environment
from mmdetpre.transfer import read_checkpoint
from mmdetpre.utils.bounded_files import read_json
from mmdetpre.utils.plain_text import printable

ROOT = Path(__file__).resolve().parents[2]
SHORT = "train_cfg.max_epochs=1"
STEPS = (
    ("mmdet", "configs/det/sniper_voc_sample.py", (SHORT,)),
    ("mmsegmentation", "configs/seg/deeplab_voc_sample.py", ("train_cfg.max_iters=30", "train_cfg.val_interval=30")),
    ("mmpretrain", "configs/cls/imagenet_cls_sample.py", (SHORT,)),
    ("mmdet", "configs/det/sniper_voc_sample.py", (SHORT, "train_dataloader.dataset.dataset.indices=40")),
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "work_dirs/move_backbone",
        help="folder of the runs (work_dirs/move_backbone)",
    )
    return parser.parse_args()


def digest_of(path: Path) -> str:
    """Digest in the metadata of an exported backbone; empty if there is none yet."""
    return str(read_checkpoint(path).backbone_metadata["digest"]) if path.exists() else ""


def report_of(work_dir: Path) -> dict[str, Any]:
    """Report of the newest load in a work dir; empty if there is none."""
    reports = sorted(work_dir.glob("backbone_load_*.json"))
    return dict(read_json(reports[-1])) if reports else {}


def move(out: Path) -> list[tuple[str, str, str, str]]:
    """Train all steps; returns (toolbox, verdict, digest loaded, digest left) of each."""
    rows = []
    source: Path | None = None
    for number, (package, config, options) in enumerate(STEPS, start=1):
        work_dir = out / f"{number}_{package}"
        left = work_dir / "backbone_final.pth"
        given = digest_of(source) if source else ""
        print(f"\n=== {number}/{len(STEPS)} {package}, from {source or 'scratch'}", flush=True)
        if left.exists() and report_of(work_dir).get("digest", "") == given:
            print(f"{left} already exists, skipped.")
        else:
            start = [f"backbone_init.checkpoint={source}"] if source else []
            arguments = ["--work-dir", work_dir, "--cfg-options", "randomness.seed=0", *options, *start]
            command = training_command(package, config, *arguments)
            shown_command(command, cwd=ROOT, env=environment())
        report = report_of(work_dir)
        rows.append((package, report.get("verdict", "from scratch"), report.get("digest", ""), digest_of(left)))
        if report.get("digest", "") != given:
            raise ValueError(f"{work_dir} loaded {report.get('digest', 'nothing')}, but {source} holds {given}.")
        source = left
    return rows


def main() -> int:
    out = parse_args().out.resolve()
    os.chdir(ROOT)
    began = time.monotonic()
    try:
        for layout in ("voc", "imagenet_loc"):
            if not Path(f"data/sample_{layout}/sample.json").exists():  # one of another size will do
                make_sample(f"data/sample_{layout}", layout=layout)
        with warm_start(environment()):
            rows = move(out)
    except subprocess.CalledProcessError as error:
        print(f"\nStopped at the command above (exit {error.returncode}). Run it again to go on.", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"\nmove_backbone: {printable(error)}", file=sys.stderr)
        return 1
    print(f"\n{'toolbox':16}{'verdict':14}{'digest loaded':15}digest left")
    for package, verdict, loaded, left in rows:
        print(f"{package:16}{verdict:14}{loaded[:12] or '-':15}{left[:12]}")
    print("Each digest loaded is the one that the row above left: the same weights, bit by bit.")
    print(
        f"Reports: {out}/*/backbone_load_*.json\n{time.monotonic() - began:.0f} s. To start from scratch: rm -r {out}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
