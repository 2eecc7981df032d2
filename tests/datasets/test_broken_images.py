import multiprocessing

import pytest
import torch.multiprocessing

from mmdetpre.datasets.broken_images import BrokenImages, TooManyBrokenImages


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
