import os

import pytest

from mmdetpre.storage.addresses import RemoteFiles
from mmdetpre.storage.http_files import HttpFiles
from mmdetpre.storage.retry import PassingFault, StorageError

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def files():
    return RemoteFiles(retries=3, timeout=5, first_wait=0.001)


@pytest.fixture
def address(far):
    (far.folder / "a b.jpg").write_bytes(CONTENT)
    return far.at("a b.jpg")


def test_a_file_and_a_part_of_it(files, address, far):
    assert files.read(address) == CONTENT
    assert files.read(address, start=100, size=300) == CONTENT[100:400]
    assert far.asked[-1][2] == "bytes=100-399"
    assert files.exists(address) and not files.exists(far.at("b.jpg"))


@pytest.mark.parametrize("part", [{}, {"start": 10, "size": 5000}])
def test_a_busy_server_and_a_lost_connection_are_asked_again(files, address, far, part):
    far.faults["a b.jpg"] = [503, "cut", 429]
    expected = CONTENT[10:5010] if part else CONTENT
    assert files.read(address, **part) == expected
    assert len(far.asked) == 4


def test_a_server_that_stays_busy_is_an_error_with_the_address(files, address, far):
    far.faults["a b.jpg"] = [503] * 9
    with pytest.raises(StorageError, match=r"a%20b.jpg could not be read in 4 tries .* status 503"):
        files.read(address)


def test_no_server_at_all(files, far):
    address = far.at("a.jpg")
    far.shutdown()
    far.server_close()
    with pytest.raises(StorageError, match="could not be read in 4 tries"):
        files.read(address)


def test_a_missing_file_is_missing_at_once(files, far):
    with pytest.raises(FileNotFoundError, match=r"no file at .*/b.jpg \(status 404\)"):
        files.read(far.at("b.jpg"))
    assert len(far.asked) == 1


@pytest.mark.parametrize("status", [401, 403, 418])
def test_a_refusal_is_neither_retried_nor_a_missing_file(files, address, far, status):
    far.faults["a b.jpg"] = [status]
    with pytest.raises(StorageError, match=f"answers with status {status}"):
        files.read(address)
    assert len(far.asked) == 1


def test_a_content_above_the_bound_is_not_read(files, address):
    with pytest.raises(StorageError, match="has more than 0 MiB"):
        files.read(address, most_bytes=len(CONTENT) - 1)
    assert files.read(address, most_bytes=len(CONTENT)) == CONTENT


def test_a_server_without_ranges_is_refused_before_it_sends_the_archive(files, address, far):
    far.knows_ranges = False
    with pytest.raises(StorageError, match="does not send parts of files"):
        files.read(address, start=0, size=10)


def test_a_file_that_is_shorter_than_its_index_says(files, address):
    with pytest.raises(StorageError, match="shorter than its index says"):
        files.read(address, start=len(CONTENT) - 10, size=20)


def test_redirects_are_followed_to_http_and_nowhere_else(files, address, far):
    (far.folder / "b.jpg").write_bytes(b"b")
    far.faults["a b.jpg"] = ["/b.jpg"]
    assert files.read(address) == b"b"
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/b.jpg"):
        far.faults["a b.jpg"] = [target]
        with pytest.raises(StorageError, match="only https addresses are followed"):
            files.read(address)
    far.faults["a b.jpg"] = ["/a%20b.jpg"] * 9
    with pytest.raises(StorageError, match="sent on more than 5 times"):
        files.read(address)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://host/a", "data://x", "gs://bucket/a"])
def test_other_schemes_are_no_addresses(files, address):
    with pytest.raises(ValueError, match="those begin with one of https, http, s3"):
        files.read(address)


def test_a_mark_changes_with_the_file(files, address, far):
    before = files.mark(address)
    assert files.mark(address) == before
    (far.folder / "a b.jpg").write_bytes(CONTENT[1:])
    assert files.mark(address) != before


def test_a_forked_process_uses_connections_of_its_own(address):
    store = HttpFiles(timeout=5)
    assert store.read(address, 1 << 20) == CONTENT
    mine = store._pool()
    if not (child := os.fork()):
        os._exit(0 if store._pool() is not mine and store.read(address, 1 << 20) == CONTENT else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store._pool() is mine and store.read(address, 1 << 20) == CONTENT


def test_one_try_raises_what_may_pass(address, far):
    far.faults["a b.jpg"] = [503]
    with pytest.raises(PassingFault):
        HttpFiles().read(address, 1 << 20)
