import logging
from types import SimpleNamespace

from mmdetpre.datasets.broken_images import BrokenImages
from mmdetpre.registry import HOOKS


def runner(dataset, lines):
    logger = SimpleNamespace(log=lambda level, text: lines.append((level, text)))
    return SimpleNamespace(train_dataloader=SimpleNamespace(dataset=dataset), logger=logger)


def test_broken_images_are_named_at_the_end_of_an_epoch():
    hook, lines = HOOKS.build({"type": "mmdetpre.BrokenImageHook"}), []
    broken = BrokenImages(20, "{}.jpg".format, 10)
    hook.after_train_epoch(runner(SimpleNamespace(broken_images=broken), lines))
    assert not lines
    for image in range(6):
        broken.report(image, "the file is empty")
    hook.after_train_epoch(runner(SimpleNamespace(broken_images=broken), lines))
    level, text = lines[0]
    assert level == logging.WARNING
    assert text.startswith("6 broken images so far (the run stops above 10): 0.jpg, ") and text.endswith("4.jpg, ...")


def test_other_data_sets_are_left_alone():
    lines = []
    HOOKS.build({"type": "mmdetpre.BrokenImageHook"}).after_train_epoch(runner(object(), lines))
    assert not lines
