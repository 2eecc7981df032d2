"""Negative chip mining: chips on the regions that a region proposal network takes for objects by mistake."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmdetpre.chips.annotation_arrays import ImageRange, check_annotations
from mmdetpre.chips.chip_table import ChipTable
from mmdetpre.chips.kernel import mine_negatives_range
from mmdetpre.chips.mining import image_ranges, mine_ranges
from mmdetpre.chips.negative_settings import NegativeSettings
from mmdetpre.chips.scale import scale_factors, scaled_sizes
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.chips.valid_range import valid_ranges


class NegativeChips(NamedTuple):
    """Negative chips of one epoch.

    Attributes:
        chips: n chips, sorted by image, all flagged ``negative``. ``valid`` holds the ground truth that counted in them
            (none with ``neg_exclude_gt``).
        counts: (n,) int32, how many boxes, proposals above all, each chip takes.
    """

    chips: ChipTable
    counts: np.ndarray


def mine_negatives(
    sizes: np.ndarray,
    box_offsets: np.ndarray,
    boxes: np.ndarray,
    chips: ChipTable,
    proposal_rows: np.ndarray,
    proposals: np.ndarray,
    settings: ChipSettings,
    negatives: NegativeSettings | None = None,
    *,
    ignore: np.ndarray | None = None,
    seed: int = 0,
    epoch: int = 0,
    first_image: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> NegativeChips:
    """Mine the negative chips of a data set for one epoch, after its positive chips.

    At each scale the boxes that the scale could learn (below the upper end of its range, at the coarsest scale above
    the lower end) and of which no positive chip of the scale shows at least a pixel each way are covered greedily, by
    the candidates and with the stride of the positive chips. A chip stays if it takes enough boxes
    (:class:`NegativeSettings`); of those that stay, at all scales of an image, at most ``max_per_image`` are chosen at
    random.

    Ground truth flagged ``ignore`` (crowd, difficult) is never negative: it does not count, nor does a proposal that
    lies by more than half inside one such box; where it shows in a negative chip the data set ignores it as in any
    chip. Images without ground truth, or with ignored boxes only, are not mined, as they take no part in training.

    Args:
        sizes: (N, 2) image widths and heights in pixels.
        box_offsets: (N + 1,) integers; image ``i`` owns ``boxes[box_offsets[i]:box_offsets[i + 1]]``.
        boxes: (M, 4) ground truth, xyxy in original pixels, half-open.
        chips: The positive chips of (seed, epoch), as :func:`mmdetpre.chips.mining.mine_chips` returns them.
        proposal_rows: (N, 2) integers; image ``i`` owns ``proposals[proposal_rows[i, 0]:proposal_rows[i, 1]]``.
        proposals: (P, 4) xyxy in original pixels, half-open; may be memory-mapped, it is read a few images at a time.
        settings: The settings of the positive chips.
        negatives: Thresholds; the defaults if not given.
        ignore: (M,) bool flags of the ground truth.
        seed: Seed of the positive chips.
        epoch: Epoch of the positive chips.
        first_image: Number of the first image in ``chips.image`` and in the seeds.
        threads: Number of threads, all available cores if not given. The result does not depend on it.
        progress: Show a progress bar.

    Raises:
        ValueError: If the arrays do not fit each other or hold non-finite boxes.

    Source: section 3.3 of "SNIPER: Efficient Multi-Scale Training" (2018), section 4.1 of "An Analysis of Pre-Training
    on Object Detection" (2019).

    Example:
        >>> from mmdetpre.chips.mining import mine_chips
        >>> settings = ChipSettings([(1400, 2000), (-1, 512)], [(-1, 80), (64, -1)])
        >>> data = [[640, 480]], [0, 1], [[100, 100, 139, 139]]
        >>> found = [[560 + i, 400, 580 + i, 420] for i in range(30)]
        >>> mine_negatives(*data, mine_chips(*data, settings), [[0, 30]], found, settings).counts.tolist()
        [30]
    """
    negatives = negatives or NegativeSettings()
    annotations = check_annotations(sizes, box_offsets, boxes, ignore)
    count = annotations.image_count
    rows = np.asarray(proposal_rows, dtype=np.int64).reshape(-1, 2)
    proposals = proposals if isinstance(proposals, np.ndarray) else np.asarray(proposals, dtype=np.float32)
    proposals = proposals.reshape(-1, 4)
    if len(rows) != count or (rows < 0).any() or (rows > len(proposals)).any() or (rows[:, 1] < rows[:, 0]).any():
        raise ValueError(
            f"proposal_rows has shape {np.shape(proposal_rows)}, for {count} images and {len(proposals)} proposals:"
            " expected (N, 2), the first proposal of each image and the one after its last."
        )
    if (chips.image[1:] < chips.image[:-1]).any() or chips.negative.any():
        raise ValueError("chips are not sorted by image: give the positive chips as mine_chips returns them.")
    chip_rows = np.searchsorted(chips.image, np.arange(first_image, first_image + count + 1))
    stride = settings.stride(seed, epoch)
    thresholds = negatives.thresholds(len(settings.scales))

    def mine(images: tuple[int, int]) -> NegativeChips:
        start, stop = images
        part, known = _with_proposals(annotations.images(start, stop), start, rows[start:stop], proposals)
        factors = scale_factors(part.sizes, settings.scales)
        a, b = int(chip_rows[start]), int(chip_rows[stop])
        valid = chips.valid_offsets[a : b + 1]
        table = (chips.scale[a:b], chips.origin[a:b], chips.size[a:b], valid - valid[0])
        columns, counts = mine_negatives_range(
            part.sizes,
            scaled_sizes(part.sizes, factors),
            part.offsets,
            known,
            part.boxes,
            part.ignore,
            chip_rows[start : stop + 1] - a,
            (*table, chips.valid[valid[0] : valid[-1]]),
            factors,
            valid_ranges(part.sizes, settings),
            settings.chip_size,
            stride,
            settings.rescue_orphans,
            thresholds,
            negatives.max_per_image,
            negatives.neg_exclude_gt,
            np.uint64(seed),
            np.uint64(epoch),
            first_image + start,
        )
        found = ChipTable(*columns)
        found.negative[:] = True
        return NegativeChips(found, counts)

    box_counts = np.diff(annotations.box_offsets) + rows[:, 1] - rows[:, 0]
    work = image_ranges(np.concatenate([[0], np.cumsum(box_counts)]))
    results = mine_ranges(mine, work, threads=threads, progress=progress, desc="mining negative chips")
    tables, counts = zip(*results, strict=True)
    return NegativeChips(ChipTable.concatenate(tables), np.concatenate(counts))


def _with_proposals(
    part: ImageRange, first: int, rows: np.ndarray, proposals: np.ndarray
) -> tuple[ImageRange, np.ndarray]:
    """A range of images with each image's proposals behind its ground truth, and the number of the latter."""
    known = np.diff(part.offsets)
    offsets = np.concatenate([[0], np.cumsum(known + rows[:, 1] - rows[:, 0])])
    boxes = np.empty((offsets[-1], 4), dtype=np.float32)
    ignore = np.zeros(len(boxes), dtype=np.bool_)
    for n, (start, stop) in enumerate(rows.tolist()):
        mine, middle = slice(part.offsets[n], part.offsets[n + 1]), offsets[n] + known[n]
        boxes[offsets[n] : middle], ignore[offsets[n] : middle] = part.boxes[mine], part.ignore[mine]
        here = boxes[middle : offsets[n + 1]] = proposals[start:stop]
        if not np.isfinite(here).all():
            raise ValueError(
                f"A proposal of image {first + n} is not finite: the network that made the proposals has diverged."
                " Train it again with a lower learning rate."
            )
        if part.ignore[mine].any():
            ignore[middle : offsets[n + 1]] = _inside(here, part.boxes[mine][part.ignore[mine]])
    return ImageRange(part.sizes, offsets, boxes, ignore), known


def _inside(boxes: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(n,) bool, boxes (n, 4) of which more than half lies in one of ``groups`` (k, 4)."""
    corner = np.maximum(boxes[:, None, :2], groups[None, :, :2])
    sides = np.clip(np.minimum(boxes[:, None, 2:], groups[None, :, 2:]) - corner, 0, None)
    return (sides.prod(axis=2) > 0.5 * (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)[:, None]).any(axis=1)
