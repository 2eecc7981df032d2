import random

import pytest

from mmdetpre.storage.retry import PassingFault, StorageError, retried


def failing(times, fault=None):
    left = [fault or PassingFault("busy")] * times

    def act():
        if left:
            raise left.pop()
        return b"content"

    return act


def test_an_act_is_done_again_until_it_succeeds():
    waits = []
    assert retried(failing(4), "there", sleep=waits.append) == b"content"
    assert all(0.25 * 2**i <= wait <= 0.5 * 2**i for i, wait in enumerate(waits)) and len(waits) == 4


def test_the_last_fault_names_the_address_the_tries_and_the_time():
    waits = []
    with pytest.raises(StorageError, match=r"https://host/a.jpg could not be read in 4 tries over \d+ s \(busy\)"):
        retried(failing(9), "https://host/a.jpg", retries=3, sleep=waits.append)
    assert len(waits) == 3


def test_waits_are_bounded_and_at_least_what_the_server_asks_for():
    waits = []
    with pytest.raises(StorageError):
        retried(failing(99, PassingFault("busy", wait=7)), "there", retries=12, longest_wait=10, sleep=waits.append)
    assert min(waits) >= 7 and max(waits) == 10


def test_other_errors_are_not_retried():
    with pytest.raises(FileNotFoundError):
        retried(failing(1, FileNotFoundError("gone")), "there", sleep=pytest.fail)


def test_waits_do_not_change_what_a_seed_gives():
    random.seed(0)
    expected = random.random()
    random.seed(0)
    retried(failing(3), "there", sleep=lambda wait: None)
    assert random.random() == expected
