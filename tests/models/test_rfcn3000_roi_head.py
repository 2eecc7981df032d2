"""R-FCN-3000: gradients, losses and scores by hand, learning, detections, errors."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_overlaps
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmengine.structures import InstanceData

from mmdetpre.datasets import ChipDataset, ChipMiningSampler
from mmdetpre.models.fine_detections import fine_detections

DENSE = dict(type="mmdetpre.DenseClassifier", in_channels=192, feat_channels=64, featmap_stride=8)
THREE = [0, 0, 1, 1, 1, 2, 2, 2]


@pytest.fixture
def model_config(repository):
    def make(**roi_head):
        cfg = Config.fromfile(repository / "configs" / "_base_" / "models" / "rfcn3000_r18_sample.py").model
        for key, value in roi_head.items():
            cfg.roi_head[key] = value
        return cfg

    return make


def build(model_cfg, device="cpu"):
    init_default_scope("mmdet")
    torch.manual_seed(0)
    model = MODELS.build(model_cfg)
    model.init_weights()
    return model.to(device)


@pytest.fixture
def chips(sample_config):
    """Function that gives a batch of chips of the drawn sample."""

    def draw(model, count):
        data = sample_config().train_dataloader.dataset
        init_default_scope("mmdet")
        dataset = ChipDataset(data.dataset, data.chips, data.pipeline)
        records = list(ChipMiningSampler(dataset, seed=0))[:count]
        return model.data_preprocessor(pseudo_collate([dataset[record] for record in records]), True)

    return draw


def total(losses):
    return sum(value for name, value in losses.items() if "loss" in name)


@pytest.mark.parametrize("fine_head", [None, DENSE], ids=["pool_first", "dense"])
@pytest.mark.parametrize("super_classes", [None, THREE], ids=["K=1", "K=3"])
def test_every_parameter_learns(model_config, chips, super_classes, fine_head, device):
    options = dict(super_classes=super_classes) | (dict(fine_head=fine_head) if fine_head else {})
    model = build(model_config(**options), device).train()
    data = chips(model, 8)
    for block in model.backbone.modules():  # a zero-initialised residual branch passes no gradient on
        if getattr(block, "norm2_name", None):
            torch.nn.init.ones_(block.norm2.weight)
    losses = model.loss(data["inputs"], data["data_samples"])
    assert set(losses) == {
        "loss_rpn_cls",
        "loss_rpn_bbox",
        "loss_cls",
        "loss_fine",
        "loss_bbox",
        "positive_rois",
    }
    total(losses).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("fine_head", [None, DENSE], ids=["pool_first", "dense"])
def test_chips_without_objects_still_give_every_parameter_a_gradient(model_config, chips, fine_head, device):
    model = build(model_config(**(dict(fine_head=fine_head) if fine_head else {})), device).train()
    data = chips(model, 2)
    for sample in data["data_samples"]:
        sample.gt_instances = sample.gt_instances[:0]
        sample.ignored_instances = sample.ignored_instances[:0]
    losses = model.loss(data["inputs"], data["data_samples"])
    assert losses["loss_fine"] == losses["loss_bbox"] == losses["positive_rois"] == 0
    assert losses["loss_cls"] > 0
    total(losses).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_range_that_no_proposal_meets_gives_every_parameter_a_gradient(model_config, chips, device):
    model = build(model_config(), device).train()
    data = chips(model, 2)
    for sample in data["data_samples"]:
        sample.set_metainfo(dict(valid_range=(5000.0, 6000.0)))
    losses = model.loss(data["inputs"], data["data_samples"])
    assert losses["loss_cls"] == losses["loss_fine"] == losses["loss_bbox"] == 0
    total(losses).backward()
    assert all(p.grad is not None for p in model.parameters())


class Constant(torch.nn.Module):
    """A head that gives the same outputs for every region."""

    def __init__(self, *outputs):
        super().__init__()
        self.outputs = outputs

    def forward(self, x, rois):
        outputs = tuple(torch.tensor(o).expand(len(rois), -1) for o in self.outputs)
        return outputs if len(outputs) > 1 else outputs[0]


def sample_of(boxes, labels):
    gt = InstanceData(bboxes=torch.tensor(boxes).reshape(-1, 4), labels=torch.tensor(labels, dtype=torch.long))
    sample = DetDataSample(metainfo=dict(valid_range=(0.0, 512.0), img_shape=(128, 128), scale_factor=(2.0, 2.0)))
    sample.gt_instances, sample.ignored_instances = gt, gt[:0]
    return sample


def test_losses_have_the_divisors_of_the_original(model_config):
    model = build(model_config(super_classes=THREE))
    head = model.roi_head
    head.train_cfg.update(num_rois=300, fine_divisor=200, box_divisor=188, fine_rois=50)
    logits = [0.5, -1.0, 2.0, 0.0]
    fine = [float(i) for i in range(8)]
    head.bbox_head, head.fine_head = Constant(logits, [0.5, 0.0, 0.0, 2.0]), Constant(fine)
    far = torch.tensor([[100.0, 100.0, 120.0, 120.0]])
    samples = [sample_of([[10.0, 10.0, 50.0, 50.0]], [3]), sample_of([[0.0, 0.0, 40.0, 40.0]], [7])]
    losses = head.loss((torch.zeros(2, 192, 16, 16),), [InstanceData(bboxes=far)] * 2, samples)
    log_p = torch.tensor(logits).log_softmax(0)
    fine_log_p = torch.tensor(fine).log_softmax(0)
    # Regions: per chip a background proposal (super-class 3) and the ground truth (3 -> cluster 1, 7 -> cluster 2).
    assert float(losses["loss_cls"]) == pytest.approx(-float(2 * log_p[3] + log_p[1] + log_p[2]) / (300 * 2), rel=1e-6)
    assert float(losses["loss_fine"]) == pytest.approx(-float(fine_log_p[3] + fine_log_p[7]) / (200 * 2), rel=1e-6)
    # Ground truth regresses to zero deltas: smooth-L1 of (0.5, 0, 0, 2) is 0.125 + 1.5.
    assert float(losses["loss_bbox"]) == pytest.approx(2 * 1.625 / (188 * 2), rel=1e-6)
    assert losses["positive_rois"] == 1


def test_fine_classifier_learns_the_first_positives_of_the_batch_only(model_config):
    head = build(model_config()).roi_head
    head.train_cfg.update(fine_rois=1, fine_divisor=1)
    head.bbox_head, head.fine_head = Constant([0.0, 0.0], [0.0] * 4), Constant([float(i) for i in range(8)])
    boxes = [[0.0, 0.0, 20.0, 20.0], [30.0, 30.0, 50.0, 50.0], [60.0, 60.0, 90.0, 90.0]]
    samples = [sample_of(boxes, [0, 1, 2]), sample_of(boxes, [5, 6, 7])]
    none = InstanceData(bboxes=torch.zeros(0, 4))
    losses = head.loss((torch.zeros(2, 192, 16, 16),), [none, none], samples)
    log_p = torch.arange(8.0).log_softmax(0)
    assert float(losses["loss_fine"]) == pytest.approx(-float(log_p[0] + log_p[1]) / 2, rel=1e-6)


def test_score_is_super_class_times_fine_class(model_config):
    head = build(model_config(super_classes=THREE)).roi_head
    p_super, fine = torch.tensor([[0.2, 0.3, 0.4, 0.1]]), torch.arange(8.0)[None]
    expected = [
        p * q for p, q in zip([0.2, 0.2, 0.3, 0.3, 0.3, 0.4, 0.4, 0.4], fine.softmax(1)[0].tolist(), strict=True)
    ]
    assert head.combined_scores(p_super, fine)[0].tolist() == pytest.approx(expected, rel=1e-6)


def predict(head, logits, fine, boxes, **test_cfg):
    head.bbox_head, head.fine_head = Constant(logits, [0.0] * 4), Constant(fine)
    sample = sample_of([], [])
    head.test_cfg.update(test_cfg)
    proposals = [InstanceData(bboxes=torch.tensor(boxes).reshape(-1, 4))]
    return head.predict((torch.zeros(1, 192, 16, 16),), proposals, [sample], rescale=True)[0]


def test_detections_are_scored_rescaled_and_suppressed_per_class(model_config):
    head = build(model_config()).roi_head
    boxes = [[0.0, 0.0, 40.0, 40.0], [2.0, 0.0, 42.0, 40.0], [80.0, 80.0, 100.0, 120.0]]
    fine = [4.0, 4.0] + [-20.0] * 6
    hard = dict(type="nms", iou_threshold=0.45)
    found = predict(head, [2.0, 0.0], fine, boxes, nms=hard)
    objectness = float(torch.tensor([2.0, 0.0]).softmax(0)[0])
    assert found.labels.sort().values.tolist() == [0, 0, 1, 1]  # the second region is suppressed in both classes
    assert found.scores.tolist() == pytest.approx([objectness / 2] * 4, rel=1e-5)
    assert {tuple(b) for b in found.bboxes.tolist()} == {(0.0, 0.0, 20.0, 20.0), (40.0, 40.0, 50.0, 60.0)}
    for nms in (None, dict(type="nms", iou_threshold=1.0)):
        assert len(predict(head, [2.0, 0.0], fine, boxes, nms=nms)) == 6
    soft = predict(head, [2.0, 0.0], fine, boxes, nms=dict(type="soft_nms", sigma=0.55, min_score=1e-3))
    iou = 38 / 42
    decayed = objectness / 2 * float(torch.tensor(-(iou**2) / 0.55).exp())
    assert soft.scores.tolist() == pytest.approx([objectness / 2] * 4 + [decayed] * 2, rel=1e-4)
    assert len(predict(head, [2.0, 0.0], fine, boxes, nms=None, max_per_img=2)) == 2


def test_regions_that_are_no_objects_are_dropped(model_config):
    head = build(model_config()).roi_head
    boxes = [[0.0, 0.0, 40.0, 40.0]]
    fine = [9.0] + [0.0] * 7
    assert len(predict(head, [0.0, 4.59], fine, boxes)) == 1  # 0.0100...
    assert len(predict(head, [0.0, 4.60], fine, boxes)) == 0  # 0.0099...
    assert len(predict(head, [9.0, 0.0], fine, [])) == 0


def test_another_nms_is_refused(model_config):
    head = build(model_config()).roi_head
    with pytest.raises(ValueError, match="'matrix'"):
        predict(head, [9.0, 0.0], [0.0] * 8, [[0.0, 0.0, 40.0, 40.0]], nms=dict(type="matrix"))


@pytest.mark.slow
def test_eight_chips_can_be_learned_by_heart(model_config, chips, device):
    model = build(model_config(super_classes=THREE), device).train()
    data = chips(model, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    history = []
    for _ in range(40):
        losses = model.loss(data["inputs"], data["data_samples"])
        optimizer.zero_grad()
        total(losses).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10)
        optimizer.step()
        history.append({name: float(value.detach()) for name, value in losses.items()})
    print(history[0], history[-1])
    assert history[-1]["loss_cls"] < 0.5 * history[0]["loss_cls"]
    assert history[-1]["loss_fine"] < 0.3 * max(h["loss_fine"] for h in history)


def test_mixed_precision_gives_float32_losses(model_config, chips, device):
    model = build(model_config(), device).train()
    data = chips(model, 2)
    with torch.autocast(device, dtype=torch.bfloat16):
        losses = model.loss(data["inputs"], data["data_samples"])
    total(losses).backward()
    assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in losses.values())


def test_whole_detector_predicts(model_config, chips, device):
    model = build(model_config(super_classes=THREE), device).eval()
    data = chips(model, 2)
    with torch.no_grad():
        results = model.predict(data["inputs"], data["data_samples"], rescale=False)
        raw = model(data["inputs"], data["data_samples"], mode="tensor")[0]
    for result in results:
        found = result.pred_instances
        assert len(found) <= 200 and (found.scores > 0.001).all() and (found.labels < 8).all()
        assert (found.scores[:-1] >= found.scores[1:]).all()
    assert [r.shape[1] for r in raw] == [4, 4, 8]


def test_three_thousand_classes_are_detected_without_a_loop_over_them():
    torch.manual_seed(0)
    corner = torch.rand(300, 2) * 400
    boxes = torch.cat([corner, corner + 20 + torch.rand(300, 2) * 80], dim=1)
    scores = torch.softmax(torch.randn(300, 3130) * 3, dim=1)
    cfg = ConfigDict(score_thr=0.001, nms=dict(type="nms", iou_threshold=0.45), max_per_img=200)
    found = fine_detections(boxes, scores, cfg)
    assert len(found) == 200
    # The best of all pairs of a class is never suppressed.
    best = scores.flatten().topk(1)
    assert found.scores[0] == best.values[0] and found.labels[0] == best.indices[0] % 3130
    for label in found.labels.unique():
        mine = found[found.labels == label].bboxes
        assert (bbox_overlaps(mine, mine).triu(1) <= 0.45).all()


def test_checkpoint_of_another_clustering_is_refused(model_config, tmp_path):
    source = build(model_config(super_classes=THREE))
    torch.save(dict(state_dict=source.state_dict(), meta={}), tmp_path / "source.pth")
    load_checkpoint(build(model_config(super_classes=THREE)), str(tmp_path / "source.pth"))
    for other in ([0, 0, 1, 1, 2, 2, 2, 2], None):
        with pytest.raises(ValueError, match="set super_classes"):
            load_checkpoint(build(model_config(super_classes=other)), str(tmp_path / "source.pth"))


def test_super_classes_of_another_length_are_refused(model_config):
    with pytest.raises(ValueError, match="7 entries, but the model has num_classes=8"):
        build(model_config(super_classes=THREE[:-1]))


def test_masks_are_refused(model_config):
    with pytest.raises(ValueError, match="mask_head"):
        build(model_config(mask_head=dict(type="FCNMaskHead")))
