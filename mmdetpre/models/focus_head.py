"""The branch that says where a finer scale should look again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample, SampleList
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmdetpre.chips.focus_pixels import SIZES, checked_sizes, focus_labels
from mmdetpre.models.instances import boxes_of, pad
from mmdetpre.registry import MODELS


@MODELS.register_module()
class FocusHead(BaseModule):
    """Scores each cell of a feature map: does it show a small object?

    Two scores per cell, background and focus, from a 3x3 and two 1x1 convolutions. It learns from all objects that show
    in the image, those out of the valid range of a chip too, by softmax cross-entropy, the mean over the labeled cells
    of the batch. Crowds, and what a pipeline without chips ignores, leave their cells unlabeled.

    Args:
        in_channels: Of the map; in a config `AutoFocus` knows them.
        featmap_stride: Of the map that is read, pixels: of the detector's maps the one with this stride.
        channels: Of the hidden layers.
        sizes: Objects between the first two, square roots of areas in pixels of the input, are focus; smaller ones, and
            those below the third, are not labeled, see `mmdetpre.chips.focus_pixels.focus_labels`.
        loss_weight: Factor of the loss.
        init_cfg: Initialization of the weights, as mmengine reads it.

    Raises:
        ValueError: If ``sizes`` are not three ascending numbers.

    Source: M. Najibi et al., "AutoFocus: Efficient Multi-Scale Inference" (2019).

    Example:
        >>> import torch
        >>> FocusHead(8, channels=4)(torch.zeros(1, 8, 6, 9)).shape
        torch.Size([1, 2, 6, 9])
    """

    def __init__(
        self,
        in_channels: int,
        featmap_stride: int = 16,
        channels: int = 256,
        sizes: Sequence[float] = SIZES,
        loss_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type="Normal", layer="Conv2d", std=0.01))
        self.featmap_stride = featmap_stride
        self.sizes = checked_sizes(sizes)
        self.loss_weight = loss_weight
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, 2, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B, 2, h, w), background and focus, of a map (B, C, h, w)."""
        return self.layers(x)

    def loss(self, maps: Sequence[Tensor], samples: SampleList, input_shape: tuple[int, int]) -> dict[str, Tensor]:
        """``loss_focus`` of a batch.

        Args:
            maps: Of the detector, (B, C, h, w) each.
            samples: With ``gt_instances`` and, if there are any, ``ignored_instances``, boxes in pixels of the input.
            input_shape: Height and width of the input tensor, pixels.
        """
        scores = self(self.map_of(maps, input_shape)).float()
        shown, unsure = zip(*map(_shown, samples), strict=True)
        height, width = scores.shape[2:]
        labels = focus_labels(pad(shown), (height, width), self.featmap_stride, self.sizes, pad(unsure))
        total = F.cross_entropy(scores, labels, ignore_index=-1, reduction="sum")
        return dict(loss_focus=self.loss_weight * total / (labels >= 0).sum().clamp(min=1))

    def probability(self, maps: Sequence[Tensor], input_shape: tuple[int, int]) -> Tensor:
        """Probability (B, h, w) that a cell is focus."""
        return self(self.map_of(maps, input_shape)).float().softmax(dim=1)[:, 1]

    def map_of(self, maps: Sequence[Tensor], input_shape: tuple[int, int]) -> Tensor:
        """The map that has the stride of this head.

        Raises:
            ValueError: If none has.
        """
        wanted = tuple(-(-side // self.featmap_stride) for side in input_shape)
        for one in maps:
            if tuple(one.shape[2:]) == wanted:
                return one
        sizes = ", ".join(f"{one.shape[2]} x {one.shape[3]}" for one in maps)
        raise ValueError(
            f"The detector has no map of stride {self.featmap_stride}: for {input_shape[0]} x {input_shape[1]} pixels"
            f" its maps have {sizes} cells. Set focus_head.featmap_stride to a stride that it has."
        )


def _shown(sample: DetDataSample) -> tuple[Tensor, Tensor]:
    """Boxes (n, 4) that show in an image, and which of them (n,) stand for objects that nobody counted."""
    boxes = boxes_of(sample.gt_instances)
    unsure = boxes.new_zeros(len(boxes), dtype=torch.bool)
    ignored = sample.get("ignored_instances")
    if ignored is None:
        return boxes, unsure
    others = boxes_of(ignored)
    group = ignored.get("group_of")
    group = others.new_ones(len(others), dtype=torch.bool) if group is None else group
    return torch.cat([boxes, others]), torch.cat([unsure, group])
