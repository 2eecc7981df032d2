import multiprocessing

import pytest
import torch.distributed
import torch.multiprocessing

from mmdetpre.datasets.chips.broken_images import BrokenImages, TooManyBrokenImages

path = "{}.jpg".format


def test_images_are_counted_once():
    broken = BrokenImages(10, path, 2)
    for image in (3, 3, 7, 3):
        broken.report(image, "the file is empty")
    assert broken.count() == 2 and broken.examples() == ["3.jpg", "7.jpg"]
    with pytest.raises(TooManyBrokenImages, match="3 of 10 images.*1.jpg, 3.jpg, 7.jpg.*too dark.*max_broken=2"):
        broken.report(1, "too dark")


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (0.0, 0), (0.25, 2), (1.0, 10), (100, 100)])
def test_limits_are_counts_or_fractions(limit, count):
    assert BrokenImages(10, path, limit).limit == count


@pytest.mark.parametrize("limit", [-1, 1.5])
def test_impossible_limits_are_refused(limit):
    with pytest.raises(ValueError, match="max_broken"):
        BrokenImages(10, path, limit)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_share_the_count(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    broken = BrokenImages(10, path, 5)
    context = torch.multiprocessing.get_context(method)
    workers = [context.Process(target=broken.report, args=(image, "cut off")) for image in (2, 2, 5)]
    for worker in workers[: 1 if method == "spawn" else 3]:  # a spawned one imports torch first
        worker.start()
        worker.join()
        assert worker.exitcode == 0
    assert broken.examples() == (["2.jpg"] if method == "spawn" else ["2.jpg", "5.jpg"])


def _join(rank, address, broken):
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    broken.report(rank + 3, "cut off")
    broken.synchronize()
    torch.distributed.destroy_process_group()
    raise SystemExit(broken.examples() != ["3.jpg", "4.jpg"])


def _exceed(rank, address, broken):
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    broken.report(rank + 3, "cut off")
    with pytest.raises(TooManyBrokenImages, match="2 of 10 images.*3.jpg, 4.jpg.*all ranks together.*max_broken=1"):
        broken.synchronize()
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(("limit", "target"), [(5, _join), (2, _join), (1, _exceed)])
def test_ranks_join_their_counts_and_stop_together(tmp_path, limit, target):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork")
    context = torch.multiprocessing.get_context("fork")
    address = f"file://{tmp_path}/store"
    ranks = [context.Process(target=target, args=(rank, address, BrokenImages(10, path, limit))) for rank in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(60)
        assert rank.exitcode == 0
