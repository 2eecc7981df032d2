"""From a chip data set to the pictures of its chips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mmengine import fileio
from mmengine.structures import InstanceData

from mmdetpre.chips.chip_table import ChipTable
from mmdetpre.chips.mining import mine_image
from mmdetpre.chips.scale import scale_factor
from mmdetpre.chips.valid_range import valid_ranges
from mmdetpre.datasets.chips.dataset import ChipDataset
from mmdetpre.datasets.chips.record import ChipRecord
from mmdetpre.datasets.images.decoding import decode_image
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.whole_file import write_figure
from mmdetpre.visualization.chips import ChipView, draw_chips


def chip_views(dataset: ChipDataset, image: int, *, seed: int = 0, epoch: int = 0) -> list[ChipView]:
    """The chips of one image in one epoch, after the data set's own pipeline; negative ones last.

    Args:
        dataset: The chip data set, as training uses it.
        image: Index of the image.
        seed: Seed of the sampler.
        epoch: Epoch, 0 is the first.
    """
    packed, settings = dataset.packed, dataset.chip_settings
    width, height = (int(side) for side in packed.sizes[image])
    rows = packed.slice_of(image)
    table = mine_image(
        (width, height), packed.boxes[rows], settings, ignore=packed.ignore[rows], seed=seed, epoch=epoch, image=image
    )
    added = dataset.negative_chips(table, seed=seed, epoch=epoch, image=image)
    if added is not None:
        table = ChipTable.concatenate([table, added.chips])
    views = []
    for k in range(len(table)):
        scale, origin, size = int(table.scale[k]), table.origin[k], table.size[k]
        record_seed = int(np.random.default_rng((seed, epoch, image, k)).integers(2**32))
        (x, y), (w, h) = origin.tolist(), size.tolist()
        record = ChipRecord(image, scale, x, y, w, h, np.array(table.valid_of(k)), record_seed)
        sample = dataset[record]
        truth, ignored = sample["data_samples"].gt_instances, sample["data_samples"].ignored_instances
        s = scale_factor(width, height, settings.scales[scale])
        views.append(
            ChipView(
                scale=scale,
                window=(x / s, y / s, (x + w) / s, (y + h) / s),
                image=sample["inputs"].numpy().transpose(1, 2, 0)[..., ::-1],
                boxes=np.concatenate([_boxes(truth), _boxes(ignored)]),
                labels=np.concatenate([truth.labels.numpy(), ignored.labels.numpy()]),
                ignored=np.arange(len(truth) + len(ignored)) >= len(truth),
                flipped=bool(sample["data_samples"].metainfo.get("flip", False)),
                negative=bool(table.negative[k]),
            )
        )
    return views


def browse_chips(
    dataset: ChipDataset, out_dir: str | Path, n: int, *, seed: int = 0, epoch: int = 0, force: bool = False
) -> list[Path]:
    """Draw the chips of ``n`` images, chosen at random from those with boxes, one PNG each.

    Args:
        dataset: The chip data set, as training uses it.
        out_dir: Folder to write to; made if it is not there.
        n: Number of images.
        seed: Seed of the choice and of the chips.
        epoch: Epoch, 0 is the first.
        force: Overwrite pictures.

    Returns:
        The written files.

    Raises:
        FileExistsError: If a picture exists and ``force`` is not set; nothing is written then.
        ValueError: If no image has a box.
    """
    packed, out_dir = dataset.packed, Path(out_dir)
    readable = packed.sizes.min(axis=1) > 0
    candidates = np.flatnonzero(readable & (np.diff(packed.box_offsets) > 0))
    if not len(candidates):
        raise ValueError(f"None of the {len(packed)} images has a box: there are no chips to draw.")
    chosen = np.sort(np.random.default_rng(seed).permutation(candidates)[:n])
    paths = [out_dir / f"{Path(packed.names[i]).stem}_chips.png" for i in chosen]
    existing = [path for path in paths if path.exists()]
    if existing and not force:
        raise FileExistsError(
            f"{len(existing)} pictures exist already, e.g. {existing[0]}: choose another --out-dir, or --force."
        )
    out_dir.mkdir(parents=True, exist_ok=True)
    for i, path in zip(progress_bar(chosen.tolist(), desc="Drawing chips", unit="img"), paths, strict=True):
        width, height = (int(side) for side in packed.sizes[i])
        pixels, _ = decode_image(fileio.get(packed.path(i)), (width, height), 1)
        figure = draw_chips(
            pixels[..., ::-1],
            packed.boxes_of(i),
            chip_views(dataset, i, seed=seed, epoch=epoch),
            scale_titles(dataset, i),
            packed.classes,
            title=f"{Path(packed.names[i]).stem}   {width} x {height}",
        )
        write_figure(path, figure)
    return paths


def scale_titles(dataset: ChipDataset, image: int) -> list[str]:
    """What each scale does to an image: its enlargement and the object sizes it learns, original pixels."""
    packed, settings = dataset.packed, dataset.chip_settings
    width, height = (int(side) for side in packed.sizes[image])
    ranges = valid_ranges(packed.sizes[image : image + 1], settings)[0]
    titles = []
    for k, (scale, (lo, hi)) in enumerate(zip(settings.scales, ranges, strict=True)):
        if lo < 0 and hi < 0:
            sizes = "objects of any size"
        elif lo < 0:
            sizes = f"objects below {hi:.0f} px"
        else:
            sizes = f"objects above {lo:.0f} px" if hi < 0 else f"objects of {lo:.0f} to {hi:.0f} px"
        titles.append(f"Scale {k + 1}: image x {scale_factor(width, height, scale):.2f}, learns {sizes}")
    return titles


def _boxes(instances: InstanceData) -> np.ndarray:
    boxes = instances.bboxes
    return getattr(boxes, "tensor", boxes).numpy().reshape(-1, 4)
