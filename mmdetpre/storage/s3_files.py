"""Objects of S3 and of stores that speak its language, whole or a part of them."""

from __future__ import annotations

import os
from typing import Any

from mmdetpre.storage.retry import PassingFault, StorageError
from mmdetpre.utils.bounded_files import MIB

_MISSING = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
_PASSING_CODES = (
    "SlowDown",
    "InternalError",
    "RequestTimeout",
    "ServiceUnavailable",
    "Throttling",
    "RequestTimeTooSkewed",
)


class S3Files:
    """Objects at ``s3://bucket/key``, by boto3; one try each, see `mmdetpre.storage.retry`.

    Where and as whom is boto3's matter: its files and its variables, such as ``AWS_PROFILE``, ``AWS_ENDPOINT_URL`` (for
    stores other than Amazon's) and ``AWS_REGION``. Nothing secret stands in a config.

    Args:
        timeout: Seconds without an answer after which the connection counts as lost.

    Raises:
        ImportError: If boto3 is not installed.
    """

    def __init__(self, timeout: float = 30.0) -> None:
        self.timeout = timeout
        self._clients: dict[int, Any] = {}

    def read(self, address: str, most_bytes: int, start: int | None = None, size: int = 0) -> bytes:
        """The content of an object, or ``size`` bytes of it from ``start`` on.

        Args:
            address: ``s3://bucket/key``.
            most_bytes: Largest content.
            start: First byte of the part, or ``None`` for all.
            size: Bytes of the part.

        Raises:
            FileNotFoundError: If there is no such object or bucket.
            PassingFault: If the store is busy or the connection is lost.
            StorageError: If the store refuses, or the object is larger than is allowed or shorter than the part.
        """
        part = {} if start is None else {"Range": f"bytes={start}-{start + size - 1}"}
        answer = self._ask("get_object", address, **part)
        most_bytes, body = most_bytes if start is None else size, answer["Body"]
        if answer["ContentLength"] > most_bytes:
            body.close()
            raise StorageError(f"{address} has more than {most_bytes / MIB:,.0f} MiB: it is another file.")
        content = self._told(address, lambda: body.read(most_bytes + 1))
        if len(content) != answer["ContentLength"] or (start is not None and len(content) != size):
            raise PassingFault(f"{len(content)} of {answer['ContentLength'] if start is None else size} bytes arrived")
        return content

    def mark(self, address: str) -> str:
        """What changes when the object does: its size, its time and its ETag.

        Raises:
            FileNotFoundError, PassingFault, StorageError: As :meth:`read`.
        """
        answer = self._ask("head_object", address)
        return "|".join(str(answer.get(name, "")) for name in ("ContentLength", "LastModified", "ETag"))

    def _ask(self, what: str, address: str, **more: str) -> dict[str, Any]:
        bucket, _, key = address.partition("://")[2].partition("/")
        if not bucket or not key:
            raise StorageError(f"{address} is not an address of an object: write s3://BUCKET/KEY.")
        act = getattr(self._client(), what)
        return self._told(address, lambda: act(Bucket=bucket, Key=key, **more))

    def _told(self, address: str, act: Any) -> Any:
        """The result of an act, with the errors of botocore in the words of this package."""
        from botocore import exceptions
        from urllib3.exceptions import HTTPError

        try:
            return act()
        except exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code in _MISSING:
                raise FileNotFoundError(f"There is no object at {address} ({code}).") from error
            if status >= 500 or status in (408, 429) or code.startswith(_PASSING_CODES):
                raise PassingFault(f"the store answers with {code or status}") from error
            raise StorageError(f"{address} cannot be read: {error}") from error
        except (exceptions.NoCredentialsError, exceptions.ProfileNotFound, exceptions.ParamValidationError) as error:
            raise StorageError(f"{address} cannot be read: {error}.") from error
        except (exceptions.BotoCoreError, HTTPError, ConnectionError, TimeoutError) as error:
            raise PassingFault(str(error)) from error

    def _client(self) -> Any:
        process = os.getpid()
        if process not in self._clients:  # also in a forked process, which must not use the connections of its parent
            try:
                import boto3
                from botocore.config import Config
            except ImportError as error:
                raise ImportError("Addresses of s3:// need boto3: pip install 'mmdetpre[s3]'") from error
            config = Config(
                connect_timeout=self.timeout,
                read_timeout=self.timeout,
                max_pool_connections=16,
                retries={"total_max_attempts": 1},
            )
            self._clients = {process: boto3.session.Session().client("s3", config=config)}
        return self._clients[process]
