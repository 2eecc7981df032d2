"""The SNIPER detector."""

from __future__ import annotations

from mmdet.models.detectors import TwoStageDetector
from mmdet.structures import SampleList
from torch import Tensor

from mmdetpre.registry import MODELS


@MODELS.register_module()
class SNIPER(TwoStageDetector):
    """Two-stage detector that is trained on chips of several scales, each with a valid range of object sizes.

    The parts are :class:`ConcatNeck`, :class:`ChipRPNHead` and :class:`ChipRoIHead`; training samples come from
    :class:`mmdetpre.datasets.ChipDataset`.

    Source: section 3.1 of "An Analysis of Pre-Training on Object Detection" (2019).
    """

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Losses of both stages for a batch of chips (B, 3, H, W).

        Raises:
            KeyError: If the samples carry no valid range, that is, do not come from a chip pipeline.
        """
        if "valid_range" not in batch_data_samples[0].metainfo:
            raise KeyError(
                "SNIPER trains on chips, but the samples have no 'valid_range': use mmdetpre.ChipDataset with"
                " mmdetpre.LoadChip and mmdetpre.PackChipInputs in train_dataloader.dataset.pipeline."
            )
        x = self.extract_feat(batch_inputs)
        losses, proposals = self.rpn_head.loss_and_predict(
            x, batch_data_samples, proposal_cfg=self.train_cfg.rpn_proposal
        )
        losses.update(self.roi_head.loss(x, proposals, batch_data_samples))
        return losses
