"""Linear probe of stored features: softmax regression on a layer of TRAIN, tested on TEST (Tables 6 and 7).

TRAIN and TEST are folders of extract_features.py. The regularisation is chosen on a part of the training images, once
per seed; the result holds accuracy, balanced accuracy, 95 % intervals, the spread over the seeds and the sweep.

Example: python tools/analysis_tools/linear_probe.py work_dirs/features/caltech256_train \\
    work_dirs/features/caltech256_test --layer conv5_pooled --out work_dirs/probes/caltech256_conv5.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.analysis.probes.data import probe_data
from mmdetpre.analysis.probes.linear import linear_probe
from mmdetpre.analysis.probes.scores import result_head, result_line, write_result
from mmdetpre.analysis.probes.softmax_regression import STRENGTHS
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.utils.file_arguments import require_new_files


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, help="features to learn from")
    parser.add_argument("test", type=Path, help="features to test on")
    parser.add_argument("--layer", help="the layer; may be left out if there is one only")
    parser.add_argument("--out", type=Path, help="result to write, .json")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument(
        "--strengths", type=float, nargs="+", default=STRENGTHS, metavar="S", help="regularisations to choose from"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="of validation parts")
    parser.add_argument("--validation", type=float, default=0.2, help="part to choose by (%(default)s)")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.out, (".json",))], force=args.force)
    train, test = read_features(args.train), read_features(args.test)
    data = probe_data(train, test, args.layer)
    found = linear_probe(data, args.strengths, args.seeds, args.validation)
    result = {**result_head(train, test, data.layer, data.classes), **found}
    if args.out:
        write_result(args.out, result, overwrite=args.force)
    print(result_line(result))
    for note in result["notes"]:
        print(f"Note: {note}.")
    if args.out:
        print(f"Written to {args.out}")
    return 0


if __name__ == "__main__":
    run_tool(main)
