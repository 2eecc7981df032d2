"""Take the backbone out of a checkpoint and write it alone, with metadata and digest.

A folder, or a repository of the Hugging Face Hub, gets model.safetensors and a model card (README.md): what the weights
were trained on, digest, preprocessing, how they load, and whether the three toolboxes compute the same with them.

A file that ends in .onnx is a network instead: the backbone of --into, or the detector of --detector at one scale, with
normalization inside, written by PyTorch's exporter only if onnxruntime computes the same.

Example: python tools/model_converters/export_backbone.py work_dirs/sniper/epoch_14.pth sniper_backbone.pth
Example: python tools/model_converters/export_backbone.py epoch_14.pth hf://USER/REPO --license apache-2.0
Example: python tools/model_converters/export_backbone.py epoch_14.pth backbone.onnx --into CONFIG --size 224 224
Example: python tools/model_converters/export_backbone.py epoch_14.pth detector.onnx --detector CONFIG \\
             --size 512 512 --image photo.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.transfer import BackboneNotLoaded, CheckpointError, KeyMapError, export_backbone
from mmdetpre.transfer.backbone_metadata import BackboneMetadata
from mmdetpre.transfer.share_backbone import share_backbone
from mmdetpre.transfer.share_target import FolderTarget, ShareTarget, share_target
from mmdetpre.transfer.toolboxes import backbone_of_config
from mmdetpre.transfer.verify_transfer import arrivals_table

OF_CARDS = ("license", "dataset", "study", "no_card", "public")
OF_ONNX = ("size", "any_size", "detector", "image")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="path or address of the checkpoint")
    parser.add_argument(
        "out",
        help="file to write, ending in .pth, .safetensors or .onnx; or a folder, or hf://USER/REPO, with a model card",
    )
    parser.add_argument("--prefix", help="what stands before the backbone's names; auto-detected if there is only one")
    parser.add_argument("--entry", help="entry of the file with the weights, such as ema_state_dict")
    parser.add_argument("--source-dataset", help="what the weights were trained on (what the checkpoint says)")
    parser.add_argument(
        "--into", metavar="CONFIG", help="config of the backbone: of .onnx always, else of an unusual one to verify in"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file, and an existing card")
    card = parser.add_argument_group("folders and repositories")
    card.add_argument("--license", default="", metavar="ID", help="license as the Hub writes it: apache-2.0, cc-by-4.0")
    card.add_argument("--dataset", action="append", default=[], metavar="ID", help="data set of the Hub; repeat it")
    card.add_argument("--study", metavar="FOLDER", help="study whose answers and tables the card shows")
    card.add_argument("--no-card", action="store_true", help="write no card")
    card.add_argument("--public", action="store_true", help="make a new repository public; without it, it is private")
    onnx = parser.add_argument_group("files that end in .onnx")
    onnx.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="pixels of the image")
    onnx.add_argument("--any-size", action="store_true", help="a backbone for any number and size; not Swin")
    onnx.add_argument("--detector", metavar="CONFIG", help="write the whole detector of this config, at one scale")
    onnx.add_argument("--image", type=Path, help="photo with objects, on which a detector is compared")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    metadata = {"source_dataset": args.source_dataset} if args.source_dataset else {}
    if Path(args.out).suffix != ".onnx" and (given := [name for name in OF_ONNX if getattr(args, name)]):
        raise ValueError(f"--{given[0].replace('_', '-')} is for a file that ends in .onnx, and {args.out} does not.")
    target = share_target(args.out, public=args.public, overwrite=args.overwrite)
    if target is not None:
        return share(args, target, metadata)
    if given := [name for name in OF_CARDS if getattr(args, name)]:
        option = f"--{given[0].replace('_', '-')}"
        raise ValueError(f"{option} is for a model card, which one file has not: give a folder, or hf://USER/REPO.")
    if Path(args.out).suffix == ".onnx":
        return onnx(args)
    if args.into:
        raise ValueError("--into is for a model card or an .onnx file: weights alone need no config.")
    try:
        told = export_backbone(
            args.checkpoint, args.out, prefix=args.prefix, entry=args.entry, metadata=metadata, overwrite=args.overwrite
        )
    except FileExistsError:
        raise FileExistsError(f"{args.out} exists: choose another name, or add --overwrite.") from None
    tell(args.out, told)
    return 0


def onnx(args: argparse.Namespace) -> int:
    """Write a network, and tell how near onnxruntime is to PyTorch."""
    if (args.into is None) == (args.detector is None):
        raise ValueError("An .onnx file is a network: name the config of its backbone, --into, or of a --detector.")
    if args.size is None or min(args.size) < 1:
        raise ValueError("An .onnx file needs --size H W, such as --size 512 512.")
    if args.detector:
        if args.prefix or args.entry or args.any_size:
            raise ValueError("--prefix, --entry and --any-size are for a backbone: a detector has one size.")
        if args.image is None:
            raise ValueError("--detector needs --image PHOTO: what is found there is compared.")
        from mmdetpre.inference.onnx_detector import export_detector_onnx

        with Image.open(args.image) as image:
            rgb = np.asarray(image.convert("RGB"))
        difference, count = export_detector_onnx(
            args.detector, args.checkpoint, args.out, tuple(args.size), rgb, overwrite=args.overwrite
        )
        told, compared = "boxes (n, 4), scores (n), labels (n)", f"{count} detections"
    else:
        if args.image:
            raise ValueError("--image is for a --detector: a backbone is compared on noise.")
        from mmdetpre.inference.onnx_file import export_backbone_onnx

        difference, shapes = export_backbone_onnx(
            args.into,
            args.checkpoint,
            args.out,
            tuple(args.size),
            any_size=args.any_size,
            prefix=args.prefix,
            entry=args.entry,
            overwrite=args.overwrite,
        )
        told, compared = ", ".join(f"{name} {shape}" for name, shape in shapes.items()), "noise"
    print(f"{args.out}\n  image -> {told}")
    print(f"  onnxruntime and PyTorch differ by {difference:.2g} of the largest value, on {compared}")
    return 0


def share(args: argparse.Namespace, target: ShareTarget, metadata: dict[str, str]) -> int:
    shared = share_backbone(
        args.checkpoint,
        target,
        prefix=args.prefix,
        entry=args.entry,
        metadata=metadata,
        backbone=backbone_of_config(args.into)[1] if args.into else None,
        license=args.license,
        datasets=args.dataset,
        study=study_results(args.study) if args.study else "",
        card=not args.no_card,
    )
    tell(shared.where, shared.metadata)
    if isinstance(shared.proof, str):
        print(f"Not verified: {shared.proof}")
    else:
        print(f"{arrivals_table(shared.proof)}\nIdentical in all three.")
    print(f"Load it with {Path(args.out, target.file) if isinstance(target, FolderTarget) else target.weights}.")
    given = {"--source-dataset": shared.metadata.get("source_dataset"), "--license": args.license}
    if not args.no_card and (lacking := [option for option, value in given.items() if not value]):
        print(f"The card does not say all: {' and '.join(lacking)} would.")
    return 0


def study_results(folder: str) -> str:
    """Answers and tables of a study, in Markdown."""
    from mmdetpre.study.report.contents import read_report
    from mmdetpre.study.report.markdown import own_results

    return own_results(read_report(folder))


def tell(where: str, told: BackboneMetadata) -> None:
    print(f"{where}\n" + "\n".join(f"  {name}: {value}" for name, value in told.items()))


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded, CheckpointError, KeyMapError)
