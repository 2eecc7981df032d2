"""Images that are views of one tensor, for those who know it and those who do not."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.utils.data._utils.pin_memory import pin_memory

from mmdetpre.utils.stacked_images import StackedImages, stacked_images

SIZES = [(4, 6), (5, 2), (5, 6)]


@pytest.fixture
def images() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(256, (3, *size), dtype=torch.uint8, generator=generator) for size in SIZES]


def equal(some: list, others: list) -> bool:
    return len(some) == len(others) and all(torch.equal(*pair) for pair in zip(some, others, strict=True))


def test_it_is_a_list_of_the_same_images_in_one_tensor(images):
    stacked = stacked_images(images)
    assert isinstance(stacked, list) and equal(stacked, images) and stacked.whole
    assert stacked.block.shape == (3, 3, 5, 6)
    assert {image.untyped_storage().data_ptr() for image in stacked} == {stacked.block.data_ptr()}
    assert stacked_images(stacked) is stacked
    assert stacked_images(images[:1]).block.data_ptr() == images[0].data_ptr(), "one image is not copied"


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_are_whole(images, way):
    again = way(stacked_images(images))
    assert type(again) is StackedImages and again.whole and equal(again, images)


def test_a_changed_list_is_stacked_anew(images):
    def turn(held):
        held[0] = held[0].transpose(1, 2)

    for change in (lambda held: held.reverse(), lambda held: held.pop(), lambda held: held.append(images[0]), turn):
        stacked = stacked_images(images)
        change(stacked)
        expected = list(stacked)
        assert not stacked.whole
        for again in (stacked_images(stacked), pickle.loads(pickle.dumps(stacked))):
            assert equal(again, expected)
        assert stacked_images(stacked).whole


def test_what_a_loop_makes_of_its_kind_is_a_list(images):
    made = type(stacked_images(images))(image.float() for image in images)  # as mmengine's cast_data does
    assert made == made[:] and made.block is None and not made.whole


def test_the_tensor_is_pinned_and_not_its_views(images, monkeypatch):
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: pinned.append(self.shape) or self.clone())
    stacked = stacked_images(images)
    batch = pin_memory({"inputs": stacked, "more": torch.ones(2)})  # what torch's loader calls
    assert pinned == [(3, 3, 5, 6), (2,)]
    assert batch["inputs"].whole and equal(batch["inputs"], images)
    assert batch["inputs"].block.data_ptr() != stacked.block.data_ptr()
    stacked.pop()
    assert equal(stacked.pin_memory(), images[:2]) and len(pinned) == 4


@pytest.mark.parametrize(
    "others",
    [
        [],
        None,
        torch.zeros(2, 3, 4, 4, dtype=torch.uint8),
        [torch.zeros(3, 4, 4)],
        [torch.zeros(4, 4, dtype=torch.uint8)],
        [torch.zeros(3, 4, 4, dtype=torch.uint8), torch.zeros(1, 4, 4, dtype=torch.uint8)],
        [torch.zeros(3, 4, 4, dtype=torch.uint8, device="meta")],
        ["a"],
    ],
)
def test_others_are_left_alone(others):
    assert stacked_images(others) is None
