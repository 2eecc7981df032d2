import gc

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mmdetpre.datasets import Proposals
from mmdetpre.registry import METRICS


def sample(i, boxes=None, scores=None, **predictions):
    """A test sample as the runner hands it over; image i has one object in its left half."""
    boxes = torch.tensor([[0.0, 0, 50, 80], [50, 0, 100, 80]]) + i if boxes is None else boxes
    scores = torch.tensor([0.2, 0.7]) if scores is None else scores
    found = dict(bboxes=boxes, scores=scores, labels=torch.zeros(len(scores), dtype=torch.long)) | predictions
    return dict(
        img_path=f"photos/{i}.jpg",
        ori_shape=(80, 100),
        gt_instances=dict(bboxes=torch.tensor([[0.0, 0, 50, 80]]) + i, labels=torch.zeros(1)),
        pred_instances=found,
    )


def metric(out, **options):
    return METRICS.build(dict(type="mmdetpre.DumpProposals", out_dir=str(out), **options))


def test_proposals_are_sorted_cut_and_measured(tmp_path):
    dump = metric(tmp_path / "work" / "voc", recall_at=(1, 2))
    dump.process(None, [sample(0), sample(1)])
    dump.process(None, [sample(2)])
    assert dump.evaluate(3) == {
        "proposals/images": 3.0,
        "proposals/proposals_per_image": 2.0,
        "proposals/recall@1": 0.0,
        "proposals/recall@2": 1.0,
    }
    proposals = Proposals.open(tmp_path / "work" / "voc")
    assert (
        list(proposals.paths) == [f"photos/{i}.jpg" for i in range(3)] and proposals.sizes.tolist() == [[100, 80]] * 3
    )
    assert proposals.boxes[:, 0].tolist() == [50, 0, 51, 1, 52, 2]
    np.testing.assert_allclose(proposals.scores[:2], [0.7, 0.2])
    few = metric(tmp_path / "few", max_per_image=1)
    few.process(None, [sample(0)])
    few.evaluate(1)
    assert Proposals.open(tmp_path / "few").boxes.tolist() == [[50, 0, 100, 80]]


def test_it_runs_in_an_evaluator_and_without_annotations(tmp_path):
    from mmdet.structures import DetDataSample

    one = DetDataSample(metainfo=dict(img_path="a.jpg", ori_shape=(80, 100)))
    one.pred_instances = InstanceData(bboxes=torch.tensor([[0.0, 0, 9, 9]]), scores=torch.ones(1))
    evaluator = Evaluator(metric(tmp_path / "out"))
    evaluator.process(data_samples=[one])
    assert evaluator.evaluate(1) == {"proposals/images": 1.0, "proposals/proposals_per_image": 1.0}


def test_an_existing_folder_stops_the_run_at_its_first_image(tmp_path):
    for overwrite in (False, True):
        dump = metric(tmp_path / "out", overwrite=overwrite)
        dump.process(None, [sample(0)])
        dump.evaluate(1)
    with pytest.raises(FileExistsError, match="exists already"):
        metric(tmp_path / "out").process(None, [sample(0)])


def test_a_run_that_fails_leaves_nothing(tmp_path):
    dump = metric(tmp_path / "out")
    dump.process(None, [sample(0)])
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ValueError, match="not finite"):
        dump.process(None, [sample(1, boxes=torch.full((2, 4), torch.nan))])
    del dump
    gc.collect()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "broken, message",
    [
        (sample(0) | dict(pred_instances=dict(masks=[])), "was given pred_instances with"),
        (dict(img_path="a.jpg", ori_shape=(8, 8)), "was given no pred_instances for a.jpg"),
        (sample(0, labels=torch.tensor([0, 3])), "detections of several classes.*Test an RPN config"),
    ],
)
def test_predictions_that_are_no_proposals_are_refused(tmp_path, broken, message):
    with pytest.raises(ValueError, match=message):
        metric(tmp_path / "out").process(None, [broken])


def test_no_image_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="No image was tested"):
        metric(tmp_path / "out").evaluate(0)


def _rank(rank, world, address, out, queue):
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=world)
    dump = metric(out, recall_at=(2,))
    images = [0, 1, 2, 3, 4, 0][rank::world]  # five images, the first repeated to fill up, as samplers do
    for i in images:
        dump.process(None, [sample(i)])
    queue.put((rank, dump.evaluate(5)))
    try:
        metric(out).process(None, [sample(0)])
    except FileExistsError as error:
        queue.put((rank, str(error)))
    torch.distributed.destroy_process_group()


def test_two_gloo_ranks_write_what_one_process_writes(tmp_path):
    dump = metric(tmp_path / "one")
    dump.process(None, [sample(i) for i in range(5)])
    dump.evaluate(5)
    context = torch.multiprocessing.get_context("fork")
    queue = context.Queue()
    arguments = (2, f"file://{tmp_path}/store", str(tmp_path / "two"), queue)
    workers = [context.Process(target=_rank, args=(rank, *arguments)) for rank in range(2)]
    for worker in workers:
        worker.start()
    answers = [queue.get(timeout=60) for _ in range(4)]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    metrics = [answer for _, answer in answers if isinstance(answer, dict)]
    assert metrics[0] == metrics[1] and metrics[0]["proposals/images"] == 5 and metrics[0]["proposals/recall@2"] == 1
    assert sum("exists already" in answer for _, answer in answers if isinstance(answer, str)) == 2
    for file in (tmp_path / "one").glob("[!v]*"):  # verified.json tells the files themselves apart
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    assert {path.name for path in tmp_path.iterdir()} <= {"one", "two", "store"}
