"""Memory that a worker uses again: never while anybody sees it, and gone with its worker."""

import gc
import multiprocessing
import os

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mmdetpre.datasets import lent_memory as module
from mmdetpre.datasets.lent_memory import _BLOCKS, LentMemory, borrowed, lend_once
from mmdetpre.datasets.parcel import parcel_collate


def lend(lender, size, value):
    """A block as its worker fills it, and as it is there the first time."""
    room, loan = lender.lend(size)
    room[:] = value
    return loan, loan._replace(memory=loan.memory if loan.memory is not None else lender._blocks[loan.block])


def test_a_block_is_used_again_when_its_last_view_is_gone():
    lender = LentMemory()
    loan, there = lend(lender, 10, 1)
    content = borrowed(there)
    view = torch.from_numpy(content[2:6])[1:]
    assert loan.memory is not None and content[:10].tolist() == [1] * 10
    del content
    other = lend(lender, 10, 2)[0]
    assert other.block != loan.block and view.tolist() == [1, 1, 1]
    del view
    again, there = lend(lender, 10, 3)
    assert again.block == loan.block and again.memory is None
    assert borrowed(there)[:10].tolist() == [3] * 10


def test_a_block_that_is_too_small_is_replaced():
    lender = LentMemory()
    borrowed(lend(lender, 10, 1)[1])
    loan, there = lend(lender, 3 << 20, 2)
    assert loan.block == 0 and loan.memory is not None
    assert (borrowed(there)[: 3 << 20] == 2).all()
    assert lend(lender, 10, 1)[0].memory is None  # a smaller one fits


def test_further_batches_get_memory_of_their_own():
    lender = LentMemory()
    held = [borrowed(lend(lender, 4, value)[1]) for value in range(_BLOCKS)]
    loan, there = lend(lender, 4, 77)
    assert not loan.lender and borrowed(there)[:4].tolist() == [77] * 4
    assert [content[0] for content in held] == list(range(_BLOCKS))
    assert lend_once(4)[1].lender == ""


def test_a_fork_gives_nothing_back():
    lender = LentMemory()
    content = [borrowed(lend(lender, 4, 1)[1])]
    child = multiprocessing.get_context("fork").Process(target=content.clear)
    child.start()
    child.join()
    assert child.exitcode == 0 and lender._blocks[0][0] == 1
    content.clear()
    assert lender._blocks[0][0] == 0


class Squares(Dataset):
    """Arrays of squares, and which process made them."""

    def __init__(self, count=60):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        return {"inputs": torch.full((50,), i), "squares": np.full(70, i * i), "process": os.getpid()}


@pytest.fixture
def sharing(request):
    before = torch.multiprocessing.get_sharing_strategy()
    torch.multiprocessing.set_sharing_strategy(request.param)
    yield
    torch.multiprocessing.set_sharing_strategy(before)


@pytest.mark.parametrize("kept", [0, 1, 30])
@pytest.mark.parametrize("sharing", sorted(torch.multiprocessing.get_all_sharing_strategies()), indirect=True)
def test_batches_stay_as_they_are_while_they_are_held(sharing, kept):
    loader = DataLoader(Squares(), 2, num_workers=2, collate_fn=parcel_collate, persistent_workers=True)
    for _ in range(2):
        held = []
        for number, batch in enumerate(loader):
            held = [*held, (number, batch)][-kept - 1 :]
            for earlier, content in held:
                items = zip((2 * earlier, 2 * earlier + 1), content["inputs"], content["squares"], strict=True)
                assert all((image == i).all() and (squares == i * i).all() for i, image, squares in items)


def test_memory_goes_with_its_workers():
    loader = DataLoader(Squares(), 2, num_workers=2, collate_fn=parcel_collate)
    before, iterator = set(module._borrowed), iter(loader)
    batch = next(iterator)
    mine = module._borrowed.keys() - before
    assert mine
    for _ in iterator:
        pass
    del iterator
    gc.collect()
    assert not mine & module._borrowed.keys()
    assert (batch["inputs"][1] == 1).all()  # what is held stays


def test_few_blocks_do_for_an_epoch():
    loader = DataLoader(Squares(400), 2, num_workers=1, collate_fn=parcel_collate, persistent_workers=True)
    before = set(module._borrowed)
    for _ in loader:
        pass
    assert 0 < len(module._borrowed.keys() - before) <= 5
