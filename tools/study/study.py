"""Does pre-training help, and which? Every table and figure of the paper beside your own numbers.

    init     write a study of your own data: a COCO JSON, a folder per class
    run      run what is missing of a study, then write the report
    plan     list the runs of a study, without checking the data
    check    check the data of a study: what is there, what is missing, which images are broken
    report   write the report of the runs that are done
    diff     say what differs between the configs of two runs, of one study or of two

Example: mmdetpre study run sample            (`make study`)
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mmdetpre.study.custom_data.command import add_init_arguments, run_init
from mmdetpre.utils.plain_text import printable

NO_PHOTOS = "leave figures with photos of the data out of the report's page"
LEAVE_OUT = "continue with broken test images: tests skip them, and their results say so"
FILE = "file of the study; `sample` and `paper` are those that the package brings"


def study_file(name: str) -> Path:
    """The file of this name, or that which the package brings, without its ending."""
    shipped = Path(__file__).resolve().parent / f"{name}.yaml"
    return shipped if not Path(name).exists() and shipped.is_file() else Path(name)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_init_arguments(commands.add_parser("init", help="write a study of your own data"))
    run = commands.add_parser("run", help="run what is missing, then write the report")
    run.add_argument("file", type=study_file, help=FILE)
    run.add_argument("--cores", type=int, default=os.cpu_count(), help="processor cores to use (%(default)s)")
    run.add_argument("--dry-run", action="store_true", help="list what would be run, and stop")
    run.add_argument("--paper", type=Path, help="JSON file with other figures of the paper, for the report")
    run.add_argument("--no-timing", action="store_true", help="do not time steps first to say how long it takes")
    run.add_argument("--leave-out-bad", action="store_true", help=LEAVE_OUT)
    run.add_argument("--no-photos", action="store_true", help=NO_PHOTOS)
    run.add_argument(
        "snakemake", nargs="*", metavar="-- ARGUMENTS", help="for Snakemake, such as: -- --executor slurm --jobs 20"
    )
    plan = commands.add_parser("plan", help="list the runs")
    plan.add_argument("file", type=study_file, help=FILE)
    check = commands.add_parser("check", help="check the data")
    check.add_argument("file", type=study_file, help=FILE)
    check.add_argument("--leave-out-bad", action="store_true", help=LEAVE_OUT)
    report = commands.add_parser("report", help="write the report of the runs that are done")
    report.add_argument("out", type=Path, help="folder of the study")
    report.add_argument("--paper", type=Path, help="JSON file with other figures of the paper")
    report.add_argument("--no-photos", action="store_true", help=NO_PHOTOS)
    diff = commands.add_parser("diff", help="what differs between two configs")
    diff.add_argument("configs", type=Path, nargs=2, metavar="CONFIG", help="config of a run: OUT/configs/RUN.py")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    if args.command == "init":
        return run_init(args)
    try:
        return _commands(args)
    except KeyboardInterrupt:
        print(f"study {args.command}: stopped; the same command continues from here", file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        print(f"study {args.command}: {printable(error)}", file=sys.stderr)
        return 1


def _commands(args: argparse.Namespace) -> int:
    """The commands; each imports what it needs, so that --help need not wait."""
    if args.command == "run":
        from mmdetpre.study.workflow import run_study

        return run_study(
            args.file,
            cores=args.cores,
            dry_run=args.dry_run,
            paper=args.paper,
            snakemake_arguments=args.snakemake,
            leave_out_bad=args.leave_out_bad,
            timing=not args.no_timing,
            photos=not args.no_photos,
        )
    if args.command == "report":
        from mmdetpre.study.report.write import write_report

        print(write_report(args.out, args.paper, not args.no_photos))
        return 0
    if args.command == "diff":
        from mmdetpre.utils.config_differences import config_differences
        from mmdetpre.utils.read_config import read_config
        from mmdetpre.utils.tables import text_table

        rows = config_differences([dict(read_config(path).to_dict()) for path in args.configs])
        table = text_table(["key", *args.configs], [[key, *values] for key, values in rows.items()], left=(0, 1, 2))
        print(table if rows else "They differ in nothing but where they write.")
        return 0
    from mmdetpre.study.spec import read_study

    study = read_study(args.file)
    if args.command == "check":
        from mmdetpre.study.data_check import check_data

        print(*check_data(study, leave_out_bad=args.leave_out_bad), sep="\n")
        return 0
    from mmdetpre.study.plan import make_plan, plan_table

    print(plan_table(make_plan(study)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
