import numpy as np

from mmdetpre.evaluation.proposals.recall import count_recalled


def test_objects_are_found_by_the_best_proposals_only():
    objects = np.array([[0, 0, 10, 10], [50, 50, 70, 70]])
    boxes = np.array([[100, 100, 110, 110], [0, 0, 10, 5], [51, 51, 70, 70], [0, 0, 10, 4.9]])
    assert count_recalled(boxes, objects, [1, 2, 3, 4]).tolist() == [0, 1, 2, 2]
    assert count_recalled(boxes, objects, [4], iou_thr=0.6).tolist() == [1]


def test_nothing_to_find_or_to_find_with():
    assert count_recalled(np.zeros((0, 4)), [[0, 0, 1, 1]], [100, 300]).tolist() == [0, 0]
    assert count_recalled([[0, 0, 1, 1]], np.zeros((0, 4)), [100]).tolist() == [0]


def test_agrees_with_mmdet_where_objects_lie_apart():
    """mmdet matches one to one, which makes no difference for objects that no proposal shares."""
    from mmdet.evaluation.functional import eval_recalls

    rng = np.random.default_rng(0)
    objects = np.stack(np.meshgrid(range(0, 300, 60), range(0, 300, 60)), -1).reshape(-1, 2)
    objects = np.concatenate([objects, objects + 40], axis=1).astype(np.float32)
    boxes = (objects[rng.integers(len(objects), size=60)] + rng.normal(0, 6, (60, 4))).astype(np.float32)
    recalls = eval_recalls([objects], [boxes], [10, 30, 60], [0.5], logger="silent")
    np.testing.assert_allclose(count_recalled(boxes, objects, [10, 30, 60]) / len(objects), recalls[:, 0])
