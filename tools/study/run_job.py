"""Do one run of a study, as its plan says; Snakemake calls it.

Example: mim run mmdetpre run_job work_dirs/study_sample figures/4
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.study.runs.run import run_job


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the study")
    parser.add_argument("run", help="name of the run, as `mmdetpre study plan` lists it")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    return run_job(args.out, args.run)


if __name__ == "__main__":
    run_tool(main)
