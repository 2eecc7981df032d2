"""A detection data set seen chip by chip."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.logging import print_log
from torch.utils.data import Dataset, get_worker_info

from mmdetpre.chips.chip_table import ChipTable
from mmdetpre.chips.mining import mine_image
from mmdetpre.chips.negative_mining import NegativeChips, mine_negatives
from mmdetpre.chips.negative_settings import NegativeSettings
from mmdetpre.chips.scale import scale_factor
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.chips.valid_range import chip_valid_range, valid_ranges
from mmdetpre.datasets.chips.broken_images import BrokenImages, TooManyBrokenImages
from mmdetpre.datasets.chips.record import ChipRecord
from mmdetpre.datasets.images.decoding import BrokenImageError
from mmdetpre.datasets.images.simple_jpeg import jpeg_decoder
from mmdetpre.datasets.packed.annotations import IGNORE, PackedAnnotations
from mmdetpre.datasets.packed.packing import pack_dataset
from mmdetpre.datasets.proposals.table import COMMAND, Proposals
from mmdetpre.registry import DATASETS


@DATASETS.register_module()
class ChipDataset(Dataset):
    """Maps a :class:`ChipRecord` of the sampler to a training sample.

    All that changes from epoch to epoch lies in the records, so workers may live for ever; what a worker keeps are
    decoded images, of which a record says whether they are needed again (:class:`ChipBatchSampler`). Every record
    carries a seed, given to ``random`` and NumPy before the pipeline runs: samples do not depend on the number of
    workers. In a worker torch's CPU generator gets it too. With ``num_workers=0`` that generator is the model's and is
    left alone: there a transform that draws from torch does not follow the record's seed.

    A broken image never stops an epoch: it is named, counted, and replaced by a chip of the next readable image. The
    count is that of one rank and its workers until :class:`mmdetpre.hooks.BrokenImageHook` joins the ranks at the end
    of the epoch, and a run that is resumed counts from zero.

    Args:
        dataset: Config of (or a built) detection data set: ``mmdetpre.PackedOpenImagesDataset`` or any of mmdet.
        chips: Arguments of :class:`mmdetpre.chips.settings.ChipSettings`.
        pipeline: Transforms, beginning with ``mmdetpre.LoadChip``.
        max_broken: How many different images may be broken before the run stops: a count or a fraction of the images.
            Checked by each rank at every broken image, and over all ranks at the end of an epoch.
        lazy_init: Do not read the annotations yet; the runner calls ``full_init``.
        proposals: Folder written by ``mmdetpre.DumpProposals`` for the images of ``dataset``: the sampler then mines
            negative chips as well.
        negatives: Arguments of :class:`mmdetpre.chips.negative_settings.NegativeSettings`, with ``proposals`` only.

    Raises:
        ValueError: If ``chips`` or ``negatives`` contradict themselves, ``negatives`` is given without ``proposals``,
            or the proposals were made on another data set.

    Example:
        >>> ChipDataset(
        ...     dataset=dict(type="CocoDataset", ann_file="annotations/instances_train2017.json",
        ...                  data_root="data/coco", data_prefix=dict(img="train2017/")),
        ...     chips=dict(scales=[(-1, 512)], valid_ranges=[(-1, -1)]),
        ...     pipeline=[dict(type="mmdetpre.LoadChip"), dict(type="mmdetpre.PackChipInputs")])  # doctest: +SKIP
    """

    def __init__(
        self,
        dataset: Mapping | Dataset,
        chips: Mapping | ChipSettings,
        pipeline: Sequence[Mapping | Callable],
        max_broken: int | float = 100,
        lazy_init: bool = False,
        proposals: str | Path | None = None,
        negatives: Mapping | NegativeSettings | None = None,
    ) -> None:
        if proposals is None and negatives is not None:
            raise ValueError(
                "ChipDataset was given negatives without proposals: set proposals='work_dirs/proposals/NAME', a folder"
                f" made with: {COMMAND}"
            )
        self._inner: Any = dataset if isinstance(dataset, Dataset) else DATASETS.build(dict(dataset))
        self.chip_settings = chips if isinstance(chips, ChipSettings) else _settings("chips", ChipSettings, chips)
        self.negative_settings = (
            negatives
            if isinstance(negatives, NegativeSettings)
            else _settings("negatives", NegativeSettings, {} if negatives is None else negatives)
        )
        self.proposals_dir = proposals
        self.paper_has_negatives = False
        self._proposals: Proposals | None = None
        self._proposal_rows: np.ndarray
        self.pipeline = Compose(list(pipeline))
        self.max_broken = max_broken
        self._packed: PackedAnnotations | None = None
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """Read the annotations, unless that is done."""
        if self._packed is not None:
            return
        self._inner.full_init()
        self._metainfo = self._inner.metainfo
        self.paper_has_negatives = getattr(self._inner, "NEGATIVE_CHIPS", False)
        packed = getattr(self._inner, "packed", None)
        packed = pack_dataset(self._inner) if packed is None else packed
        if self.proposals_dir is not None:
            self._proposals = Proposals.open(self.proposals_dir)
            self._proposal_rows = self._proposals.check(packed)
        self._packed = packed
        self._inner = None  # its annotations are packed now: let the memory go
        self.broken_images = BrokenImages(len(self._packed), self._packed.path, self.max_broken)
        print_log(f"JPEGs are decoded by {jpeg_decoder()}.", "current")

    @property
    def packed(self) -> PackedAnnotations:
        """The table of all images and boxes."""
        self.full_init()
        assert self._packed is not None
        return self._packed

    @property
    def proposals(self) -> Proposals | None:
        """What negative chips are mined with, or ``None``."""
        self.full_init()
        return self._proposals

    @property
    def metainfo(self) -> dict:
        """Meta information of the inner data set (``classes`` ...)."""
        return self._inner.metainfo if self._packed is None else self._metainfo

    def negative_chips(
        self, chips: ChipTable, *, seed: int, epoch: int, threads: int | None = None, image: int | None = None
    ) -> NegativeChips | None:
        """The negative chips of an epoch, or ``None`` for a data set without ``proposals``.

        Args:
            chips: The positive chips of (seed, epoch).
            seed: Seed of the positive chips.
            epoch: Epoch, 0 is the first.
            threads: Number of threads, all available cores if not given.
            image: Mine this image only.
        """
        packed = self.packed
        if self._proposals is None:
            return None
        images = slice(None) if image is None else slice(image, image + 1)
        boxes = slice(None) if image is None else packed.slice_of(image)
        first = 0 if image is None else image
        offsets = packed.box_offsets if image is None else packed.box_offsets[image : image + 2]
        return mine_negatives(
            packed.sizes[images],
            offsets - offsets[0],
            packed.boxes[boxes],
            chips,
            self._proposal_rows[images],
            self._proposals.boxes,
            self.chip_settings,
            self.negative_settings,
            ignore=packed.ignore[boxes],
            seed=seed,
            epoch=epoch,
            first_image=first,
            threads=threads,
        )

    def __len__(self) -> int:
        """Number of images; the number of chips is the sampler's."""
        return len(self.packed)

    def __getitem__(self, record: ChipRecord) -> dict:
        """The sample of one chip.

        Raises:
            TypeError: If the sampler does not yield chip records.
            TooManyBrokenImages: If more than ``max_broken`` images are broken.
        """
        if not isinstance(record, ChipRecord):
            raise TypeError(
                f"ChipDataset was asked for {record!r}, not for a ChipRecord. Set sampler=dict(type="
                "'mmdetpre.ChipMiningSampler') and batch_sampler=dict(type='mmdetpre.ChipBatchSampler'), or no"
                " batch_sampler, in train_dataloader."
            )
        self.full_init()
        current = record
        for _ in range(len(self)):
            try:
                return self._load(current)
            except BrokenImageError as error:
                self.broken_images.report(current.image, str(error))
                current = self._replacement(record, current.image)
        raise TooManyBrokenImages(f"None of the {len(self)} images can be read, e.g. {self.packed.path(record.image)}.")

    def _load(self, record: ChipRecord) -> dict:
        packed, settings = self.packed, self.chip_settings
        i, boxes = record.image, packed.slice_of(record.image)
        width, height = (int(side) for side in packed.sizes[i])
        s = scale_factor(width, height, settings.scales[record.scale])
        lo, hi = valid_ranges(packed.sizes[i : i + 1], settings)[0, record.scale]
        results = {
            "img_path": packed.path(i),
            "img_id": packed.names[i],
            "sample_idx": i,
            "width": width,
            "height": height,
            "chip": (record.x, record.y, record.width, record.height),
            "chip_scale": s,
            "decode_scale": s if record.finest < 0 else scale_factor(width, height, settings.scales[record.finest]),
            "keep_decoded": record.keep,
            "valid_range": chip_valid_range(lo, hi, s, settings.chip_size),
            "boxes": packed.boxes[boxes],
            "labels": packed.labels[boxes],
            "flags": packed.flags[boxes],
            "valid": record.valid,
        }
        if packed.masks is not None:
            results["masks"] = {int(k): packed.mask_of(i, int(k)) for k in record.valid}
        random.seed(record.seed)
        np.random.seed(record.seed % 2**32)
        if get_worker_info() is not None:
            torch.default_generator.manual_seed(record.seed)  # torch.manual_seed would reach for CUDA as well
        sample = self.pipeline(results)
        if sample is None:
            raise RuntimeError(
                f"A transform of the pipeline dropped the chip {record.x, record.y} of {packed.path(i)}: use transforms"
                " that keep every sample, the sampler counts on it."
            )
        return sample

    def _replacement(self, record: ChipRecord, broken: int) -> ChipRecord:
        """A chip of the next image that has any; the same one for the same record."""
        packed = self.packed
        for step in range(1, len(packed) + 1):
            i = (broken + step) % len(packed)
            boxes = packed.slice_of(i)
            if boxes.start == boxes.stop or packed.sizes[i].min() <= 0 or self.broken_images.flags[i]:
                continue
            ignore = (packed.flags[boxes] & IGNORE).astype(bool)
            chips = mine_image(
                (int(packed.sizes[i, 0]), int(packed.sizes[i, 1])),
                packed.boxes[boxes],
                self.chip_settings,
                ignore=ignore,
                seed=record.seed,
                image=i,
            )
            if len(chips):
                k = record.seed % len(chips)
                x, y = chips.origin[k].tolist()
                width, height = chips.size[k].tolist()
                return ChipRecord(i, int(chips.scale[k]), x, y, width, height, chips.valid_of(k), record.seed)
        raise TooManyBrokenImages(f"No image is left that can be read and has boxes, after {packed.path(broken)}.")


_Settings = TypeVar("_Settings", ChipSettings, NegativeSettings)


def _settings(name: str, kind: type[_Settings], values: Mapping) -> _Settings:
    if not isinstance(values, Mapping):
        example = f"train_dataloader.dataset.{name}.{fields(kind)[-2].name}=..."
        raise ValueError(f"{name} is {values!r}, expected a dict. On the command line set one of its keys: {example}")
    known = [field.name for field in fields(kind)]
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f"{name} has no setting {', '.join(unknown)}: choose from {', '.join(known)}.")
    return kind(**values)
