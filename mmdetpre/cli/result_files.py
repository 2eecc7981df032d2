"""What the tools of the analyses share: runs to compare, numbers to write, a picture to draw."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmdetpre.utils.file_arguments import named_files, require_new_files
from mmdetpre.utils.plain_text import printable
from mmdetpre.utils.results import Result, write_results
from mmdetpre.utils.whole_file import write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mmdetpre.visualization.choose_images import Choice

NUMBERS, PICTURES = (".json", ".csv"), (".png", ".jpg", ".pdf", ".svg")


def add_runs(parser: argparse.ArgumentParser, what: str, value: str = "FILE") -> None:
    """``--run NAME=FILE``, once per run.

    Args:
        parser: Gets the argument.
        what: What a run is, for the help.
        value: Whether it is a file or a folder, likewise.
    """
    parser.add_argument("--run", action="append", required=True, metavar=f"NAME={value}", help=what)


def add_feature_runs(parser: argparse.ArgumentParser, several: str = "give two") -> None:
    """``--run NAME=FOLDER``: names and folders of features, which :func:`feature_runs` reads."""
    add_runs(parser, f"a name and its features; {several}", "FOLDER")


def feature_runs(args: argparse.Namespace) -> dict[str, Path]:
    """Names and folders of :func:`add_feature_runs`.

    Raises:
        ValueError: If an argument has another form, or two runs have one name.
    """
    return named_files(args.run, "ImageNet=work_dirs/features/imagenet")


def add_kmeans(parser: argparse.ArgumentParser) -> None:
    """Arguments of :func:`mmdetpre.analysis.clusters.kmeans.cluster_spaces`."""
    parser.add_argument("--seed", type=int, default=0, help="seed of k-means and of all draws (%(default)s)")
    parser.add_argument("--threads", type=int, help="cores for k-means (all)")
    parser.add_argument(
        "--clusters", type=Path, default=Path("work_dirs/clusters"), help="where clusters are kept (%(default)s)"
    )


def add_image_choice(parser: argparse.ArgumentParser, first: int, ids: str, measure: str) -> None:
    """``--first``, ``--ids`` or what runs differ in: which images they are compared on.

    Args:
        parser: Gets the arguments.
        first: How many, if nothing is said.
        ids: What names an image, for the help.
        measure: What runs may differ in, likewise.
    """
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--first", type=int, default=first, metavar="N", help="the first N images (%(default)s)")
    choice.add_argument("--ids", nargs="+", default=[], metavar="ID", help=ids)
    choice.add_argument(
        "--largest-difference",
        type=int,
        metavar="N",
        help=f"the N images in which the runs differ most in {measure}; they show where the runs differ, not how they"
        " do on average",
    )
    choice.add_argument(
        "--gains-and-losses",
        type=int,
        metavar="N",
        help="the N images in which the last run gains most over the first, and the N in which it loses most",
    )


def image_choice(args: argparse.Namespace) -> Choice:
    """What :func:`add_image_choice` asks for."""
    from mmdetpre.visualization.choose_images import Choice

    if args.largest_difference is not None:
        return Choice(args.largest_difference, largest_difference=True)
    if args.gains_and_losses is not None:
        return Choice(args.gains_and_losses, gains_and_losses=True)
    return Choice(args.first, args.ids)


def add_outputs(parser: argparse.ArgumentParser, numbers: str = "numbers to write (.json, .csv)") -> None:
    """``--out`` for the numbers, ``--plot`` and ``--title`` for the picture, ``--force``."""
    parser.add_argument("--title", default="", help="headline of the picture")
    parser.add_argument("--plot", type=Path, help="picture to write (.png, .jpg, .pdf, .svg)")
    parser.add_argument("--out", type=Path, help=numbers)
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def check_outputs(
    args: argparse.Namespace, *more: str, required: bool = False, pictures: Sequence[str] = PICTURES
) -> None:
    """Check the files of :func:`add_outputs` before any work.

    A picture given as ``--out``, as some tools took it before, is that of ``--plot``; one line on stderr says so.

    Args:
        args: Parsed arguments.
        more: Further suffixes that the numbers may have.
        required: Refuse to work for nothing.
        pictures: Suffixes that the picture may have.

    Raises:
        FileExistsError: If one exists and ``--force`` is not given.
        ValueError: If one has another suffix, or none is given though one is required.
    """
    if args.out is not None and args.plot is None and args.out.suffix in pictures:
        print(f"--out {printable(args.out)} is a picture: use --plot, --out will be for numbers only.", file=sys.stderr)
        args.plot, args.out = args.out, None
    require_new_files([(args.plot, pictures), (args.out, (*NUMBERS, *more))], force=args.force)
    if required and not (args.plot or args.out):
        raise ValueError("Nothing is to be written: give --plot, --out or both.")


def write_outputs(
    args: argparse.Namespace,
    result: Result | Sequence[Result],
    draw: Callable[[], Figure],
    write: Callable[[Path], None] | None = None,
    text: str | None = None,
) -> None:
    """Print results, and write what the command line asks for.

    Args:
        args: Parsed arguments of :func:`add_outputs`.
        result: The numbers, of one class.
        draw: Gives the picture.
        write: Writes numbers in another form than JSON and CSV.
        text: What is printed; the result if not given.
    """
    results = [result] if isinstance(result, Result) else list(result)
    print("\n\n".join(map(str, results)) if text is None else text)
    if args.out and write and args.out.suffix not in NUMBERS:
        write(args.out)
    elif args.out:
        write_results(args.out, results, overwrite=args.force)
    if args.plot:
        write_figure(args.plot, draw(), overwrite=args.force)
    for path in filter(None, (args.out, args.plot)):
        print(f"Written to {path}")
