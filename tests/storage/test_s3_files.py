import boto3
import pytest

from mmdetpre.storage.addresses import RemoteFiles
from mmdetpre.storage.retry import StorageError


@pytest.fixture
def files():
    return RemoteFiles(retries=1, timeout=5, first_wait=0.001)


@pytest.fixture
def address(bucket, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "ä b.jpg").write_bytes(bytes(range(200)))
    return f"{bucket(tmp_path / 'set')}/ä b.jpg"


def test_an_object_and_a_part_of_it(files, address):
    assert files.read(address) == bytes(range(200))
    assert files.read(address, start=10, size=20) == bytes(range(10, 30))
    assert files.exists(address) and not files.exists(f"{address}.txt")
    assert files.mark(address) == files.mark(address)


def test_what_is_missing_is_a_missing_file(files, address):
    for missing in (f"{address}.txt", "s3://nobucket/a.jpg"):
        with pytest.raises(FileNotFoundError, match="no object at"):
            files.read(missing)


def test_what_is_wrong_with_the_request_is_told(files, address):
    with pytest.raises(StorageError, match="write s3://BUCKET/KEY"):
        files.read("s3://bucket")
    with pytest.raises(StorageError, match="more than 0 MiB"):
        files.read(address, most_bytes=10)
    with pytest.raises(StorageError, match="InvalidRange"):
        files.read(address, start=500, size=1)


def test_a_store_that_is_away(files, address, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="could not be read in 2 tries"):
        files.read(address)


def test_a_store_that_is_busy_is_asked_again(files, address, monkeypatch):
    from botocore.exceptions import ClientError

    store = files._store(address)
    act, calls = store._client().get_object, []

    def busy(**arguments):
        calls.append(arguments)
        if len(calls) == 1:
            answer = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
            raise ClientError(answer, "GetObject")
        return act(**arguments)

    monkeypatch.setattr(store._client(), "get_object", busy)
    assert files.read(address) == bytes(range(200)) and len(calls) == 2


def test_without_credentials_there_is_one_message(files, address, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(StorageError, match="credentials"):
        files.read(address)
