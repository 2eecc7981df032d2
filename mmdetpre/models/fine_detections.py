"""From the scores of thousands of classes per region to the detections of an image."""

from __future__ import annotations

import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmdetpre.models.nms import hard_nms, soft_nms


def fine_detections(boxes: Tensor, scores: Tensor, cfg: ConfigDict) -> InstanceData:
    """Detections of one image, best first.

    Only the (region, class) pairs above the score threshold are considered, so that the work does not grow with the
    number of classes. Classes do not suppress each other.

    Args:
        boxes: (R, 4) xyxy, one box per region for all classes.
        scores: (R, F) scores.
        cfg: ``score_thr``: pairs with a higher score are detections; ``nms``: ``None`` (none),
            ``dict(type="nms", iou_threshold=0.45)`` or, Gaussian, ``dict(type="soft_nms", sigma=0.55, min_score=1e-3)``
            (keys of the other kind, inherited from a base config, have no effect); ``max_per_img``:
            detections kept, ``None`` or -1 for all.

    Returns:
        ``bboxes`` (n, 4), ``scores`` (n,), ``labels`` (n,) int64.

    Raises:
        ValueError: If ``nms`` is of another type.

    Example:
        >>> cfg = ConfigDict(score_thr=0.001, nms=dict(type="nms", iou_threshold=0.45), max_per_img=200)
        >>> box = torch.tensor([[0.0, 0.0, 9.0, 9.0]])
        >>> fine_detections(box.expand(2, 4), torch.tensor([[0.1, 0.6], [0.2, 0.3]]), cfg).scores
        tensor([0.6000, 0.2000])
    """
    region, label = (scores > cfg.score_thr).nonzero(as_tuple=True)
    boxes, scores = boxes[region], scores[region, label]
    limit = None if cfg.get("max_per_img") in (None, -1) else cfg.max_per_img
    nms = dict(cfg.nms or {})
    kind = nms.pop("type", "nms" if nms else None)
    if kind not in (None, "nms", "soft_nms"):
        raise ValueError(
            f"nms of the detections is {kind!r}: R-FCN-3000 knows None, dict(type='nms', iou_threshold=...) and"
            " dict(type='soft_nms', sigma=..., min_score=...)."
        )
    # A threshold of 1 suppresses nothing: the boxes are merged elsewhere (test-time augmentation).
    if kind is None or (kind == "nms" and nms["iou_threshold"] >= 1):
        scores, keep = scores.sort(descending=True, stable=True)
        scores, keep = scores[:limit], keep[:limit]
    else:
        known = ("iou_threshold",) if kind == "nms" else ("sigma", "min_score")
        nms = {key: value for key, value in nms.items() if key in known}
        suppress = hard_nms if kind == "nms" else soft_nms
        box_array, score_array = (values.detach().float().cpu().numpy() for values in (boxes, scores))
        kept, values = suppress(box_array, score_array, label.cpu().numpy(), max_per_img=limit, **nms)
        keep, scores = torch.from_numpy(kept).to(label.device), torch.from_numpy(values).to(scores)
    return InstanceData(bboxes=boxes[keep], scores=scores, labels=label[keep])
