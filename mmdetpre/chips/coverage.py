"""Coverage: what chip settings make of a data set, before any training."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from mmdetpre.chips.annotation_arrays import check_annotations
from mmdetpre.chips.box_size import box_sizes
from mmdetpre.chips.chip_table import ChipTable
from mmdetpre.chips.mining import mine_chips
from mmdetpre.chips.scale import scale_factors, scaled_sizes
from mmdetpre.chips.selection import select_boxes
from mmdetpre.chips.settings import ChipSettings

SINGLE_PASS_SCALE = (800, 1333)
BAND_EDGES = (0, 16, 32, 64, 128, 256, 512)
_NOTABLE_SHARE = 0.01


@dataclass(frozen=True)
class ScaleCoverage:
    """One scale: its chips, the boxes that drive them, and the boxes learned in them."""

    scale: tuple[int, int]
    valid_range: tuple[float, float]
    chips: int
    selected_boxes: int
    valid_boxes: int


@dataclass(frozen=True)
class BandCoverage:
    """Boxes with ``lo <= sqrt(width * height) < hi`` original pixels (``hi`` None: no end)."""

    lo: float
    hi: float | None
    boxes: int
    valid_per_scale: tuple[int, ...]
    valid_nowhere: int


@dataclass(frozen=True)
class CoverageReport:
    """What :func:`coverage_report` found.

    Attributes:
        images: All images.
        images_with_chips: Images that are trained on.
        boxes: All boxes.
        ignored_boxes: Boxes flagged to be ignored.
        tiny_boxes: Boxes with a side below 1 pixel after clipping to the image.
        valid_nowhere: Usable boxes that are learned at no scale.
        valid_once: Boxes learned at one scale.
        valid_several: Boxes learned at several scales.
        orphans: Boxes too elongated for the chips of their own scale.
        orphans_rescued: Whether the coarsest scale takes them (``rescue_orphans``).
        chips: All chips of the epoch.
        chips_per_image: Chips per image that has any: the cost of training relative to one scale, a chip per image.
        chip_pixels_ratio: Image pixels inside chips, relative to one pass over the same images with the short side at
            800 and the long side at most 1333 pixels.
        padded_pixels_ratio: The same with every chip padded to its full square, which is what the network computes on.
        per_scale: One entry per scale, finest first.
        per_band: One entry per band of box sizes.
        warnings: What looks wrong, and what to change.
    """

    images: int
    images_with_chips: int
    boxes: int
    ignored_boxes: int
    tiny_boxes: int
    valid_nowhere: int
    valid_once: int
    valid_several: int
    orphans: int
    orphans_rescued: bool
    chips: int
    chips_per_image: float
    chip_pixels_ratio: float
    padded_pixels_ratio: float
    per_scale: tuple[ScaleCoverage, ...]
    per_band: tuple[BandCoverage, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        usable = self.boxes - self.ignored_boxes - self.tiny_boxes
        lines = [
            f"images               {self.images:>12,}   with chips {self.images_with_chips:,}",
            f"boxes                {self.boxes:>12,}   ignored {self.ignored_boxes:,}, tiny {self.tiny_boxes:,}",
            f"  valid nowhere      {self.valid_nowhere:>12,}   {_percent(self.valid_nowhere, usable)}",
            f"  valid at one scale {self.valid_once:>12,}   {_percent(self.valid_once, usable)}",
            f"  at several         {self.valid_several:>12,}   {_percent(self.valid_several, usable)}",
            f"  orphans            {self.orphans:>12,}   {'rescued' if self.orphans_rescued else 'not rescued'}",
            f"chips                {self.chips:>12,}   {self.chips_per_image:.2f} per image with chips",
            f"pixels / one {SINGLE_PASS_SCALE[0]}x{SINGLE_PASS_SCALE[1]} pass {self.chip_pixels_ratio:>6.3f}"
            f"   {self.padded_pixels_ratio:.3f} with padding",
            "",
            f"{'scale':>14} {'valid range':>16} {'chips':>12} {'per image':>10} {'selected':>12} {'valid boxes':>12}",
        ]
        for row in self.per_scale:
            per_image = row.chips / max(self.images_with_chips, 1)
            lines.append(
                f"{_pair(row.scale):>14} {_pair(row.valid_range):>16} {row.chips:>12,} {per_image:>10.2f}"
                f" {row.selected_boxes:>12,} {row.valid_boxes:>12,}"
            )
        scales = "".join(f"{_pair(row.scale):>14}" for row in self.per_scale)
        lines += ["", f"{'size in pixels':>14} {'boxes':>12} {'nowhere':>10}{scales}"]
        for band in self.per_band:
            name = f"{band.lo:g} to {band.hi:g}" if band.hi is not None else f"{band.lo:g} and up"
            valid = "".join(f"{count:>14,}" for count in band.valid_per_scale)
            lines.append(f"{name:>14} {band.boxes:>12,} {band.valid_nowhere:>10,}{valid}")
        return "\n".join([*lines, *(f"\nwarning: {text}" for text in self.warnings)])


def coverage_report(
    sizes: np.ndarray,
    box_offsets: np.ndarray,
    boxes: np.ndarray,
    settings: ChipSettings,
    *,
    ignore: np.ndarray | None = None,
    table: ChipTable | None = None,
    seed: int = 0,
    epoch: int = 0,
) -> CoverageReport:
    """Count what one epoch of chips shows of a data set, and warn about settings that do not fit it.

    Args:
        sizes: (N, 2) image widths and heights in pixels.
        box_offsets: (N + 1,) integers; image ``i`` owns ``boxes[box_offsets[i]:box_offsets[i + 1]]``.
        boxes: (M, 4) xyxy in original pixels, half-open.
        settings: The chip settings to judge.
        ignore: (M,) bool, boxes that take no part.
        table: The chips of (seed, epoch) if they are already mined.
        seed: Seed of the chips.
        epoch: Epoch of the chips.

    Raises:
        ValueError: If the arrays do not fit each other.

    Example:
        >>> settings = ChipSettings([(1400, 2000), (-1, 512)], [(-1, 80), (64, -1)])
        >>> coverage_report([[640, 480]], [0, 1], [[50, 40, 450, 440]], settings).warnings
        ('Scale (1400, 2000) with valid range (-1, 80) selects no box: widen its range or remove the scale.',)
    """
    annotations = check_annotations(sizes, box_offsets, boxes, ignore)
    if table is None:
        table = mine_chips(sizes, box_offsets, boxes, settings, ignore=ignore, seed=seed, epoch=epoch)
    stride = settings.stride(seed, epoch)
    selected, orphan = select_boxes(sizes, box_offsets, boxes, settings, ignore=ignore, stride=stride)
    area = box_sizes(annotations)
    usable = area > 0
    scale_count = len(settings.scales)
    ignored = 0 if ignore is None else int(np.count_nonzero(ignore))

    chip_of_valid = np.repeat(np.arange(len(table)), np.diff(table.valid_offsets))
    box_of_valid = np.asarray(annotations.box_offsets)[table.image[chip_of_valid]] + table.valid
    scale_of_valid = table.scale[chip_of_valid].astype(np.int64)
    scales_of_box = np.bincount(box_of_valid, minlength=len(area))
    bands = np.searchsorted(BAND_EDGES, area, side="right") - 1
    valid = np.bincount(bands[box_of_valid] * scale_count + scale_of_valid, minlength=len(BAND_EDGES) * scale_count)
    valid = valid.reshape(len(BAND_EDGES), scale_count)
    chips = np.bincount(table.scale, minlength=scale_count)

    nowhere = usable & (scales_of_box == 0)
    band_boxes = np.bincount(bands[usable], minlength=len(BAND_EDGES))
    band_nowhere = np.bincount(bands[nowhere], minlength=len(BAND_EDGES))
    trained = np.unique(table.image)
    single_pass = _single_pass_pixels(np.asarray(annotations.sizes)[trained])

    per_scale = tuple(
        ScaleCoverage(scale, valid_range, int(chips[i]), int(selected[:, i].sum()), int(valid[:, i].sum()))
        for i, (scale, valid_range) in enumerate(zip(settings.scales, settings.valid_ranges, strict=True))
    )
    per_band = tuple(
        BandCoverage(lo, hi, int(band_boxes[i]), tuple(int(count) for count in valid[i]), int(band_nowhere[i]))
        for i, (lo, hi) in enumerate(zip(BAND_EDGES, (*BAND_EDGES[1:], None), strict=True))
    )
    counts = {"usable": int(usable.sum()), "nowhere": int(nowhere.sum()), "orphans": int(orphan.sum())}
    return CoverageReport(
        images=annotations.image_count,
        images_with_chips=len(trained),
        boxes=len(area),
        ignored_boxes=ignored,
        tiny_boxes=len(area) - counts["usable"] - ignored,
        valid_nowhere=counts["nowhere"],
        valid_once=int((scales_of_box == 1).sum()),
        valid_several=int((scales_of_box > 1).sum()),
        orphans=counts["orphans"],
        orphans_rescued=settings.rescue_orphans,
        chips=len(table),
        chips_per_image=len(table) / max(len(trained), 1),
        chip_pixels_ratio=float(table.size.astype(np.int64).prod(axis=1).sum() / max(single_pass, 1)),
        padded_pixels_ratio=float(len(table) * settings.chip_size**2 / max(single_pass, 1)),
        per_scale=per_scale,
        per_band=per_band,
        warnings=tuple(_warnings(per_scale, settings, **counts)),
    )


def _warnings(
    per_scale: tuple[ScaleCoverage, ...], settings: ChipSettings, usable: int, nowhere: int, orphans: int
) -> list[str]:
    if usable == 0:
        return ["No usable box: check the class list and the ignore flags of the data set."]
    texts = [
        f"Scale {_pair(row.scale)} with valid range {_pair(row.valid_range)} selects no box: widen its range or remove"
        " the scale."
        for row in (per_scale if nowhere else per_scale[:-1])  # the coarsest must be, and costs nothing without boxes
        if row.selected_boxes == 0
    ]
    if nowhere > _NOTABLE_SHARE * usable:
        texts.append(
            f"{_percent(nowhere, usable)} of the boxes are learned at no scale: let the valid ranges of neighboring"
            " scales overlap, and leave the lower end of the finest and the upper end of the coarsest open (-1)."
        )
    if orphans > _NOTABLE_SHARE * usable:
        fate = "shown at the coarsest scale only" if settings.rescue_orphans else "lost; set rescue_orphans=True"
        texts.append(
            f"{_percent(orphans, usable)} of the boxes are too elongated for the chips of their scale and {fate}: lower"
            " the upper ends of the finer valid ranges, or lower the scales."
        )
    return texts


def _single_pass_pixels(sizes: np.ndarray) -> int:
    return int(scaled_sizes(sizes, scale_factors(sizes, [SINGLE_PASS_SCALE])).prod(axis=2).sum())


def _pair(values: tuple[float, float]) -> str:
    return f"({values[0]:g}, {values[1]:g})"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.2f} %"
