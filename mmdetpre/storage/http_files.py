"""Files at https and http addresses, whole or a part of them."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urljoin, urlsplit

from mmdetpre.storage.retry import PassingFault, StorageError
from mmdetpre.utils.bounded_files import MIB

_PASSING = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_LONGEST_WAIT = 300.0
_BLOCK = MIB


class HttpFiles:
    """Files at addresses, over connections that stay open; one try each, see `mmdetpre.storage.retry`.

    Redirects lead to https, and from http to http as well, nowhere else. An answer is bounded before memory is taken,
    and a server that ignores ranges is refused before it sends a whole archive. Connections are never shared with a
    forked process. urllib3, which `requests` brings, does the rest.

    Args:
        timeout: Seconds without an answer after which the connection counts as lost.
    """

    def __init__(self, timeout: float = 30.0) -> None:
        self.timeout = timeout
        self._pools: dict[int, Any] = {}

    def read(self, address: str, most_bytes: int, start: int | None = None, size: int = 0) -> bytes:
        """The content of a file, or ``size`` bytes of it from ``start`` on.

        Args:
            address: The address.
            most_bytes: Largest content.
            start: First byte of the part, or ``None`` for all.
            size: Bytes of the part.

        Raises:
            FileNotFoundError: If there is no such file (404, 410).
            PassingFault: If the server is busy or the connection is lost.
            StorageError: If the server refuses, does not know ranges, or sends more than is allowed.
        """
        headers = {} if start is None else {"Range": f"bytes={start}-{start + size - 1}"}
        response = self._request("GET", address, headers)
        try:
            if start is not None:
                self._require_part(address, response, start, size)
                most_bytes = size
            announced = response.headers.get("Content-Length", "")
            if announced.isdigit() and int(announced) > most_bytes:
                raise _too_large(address, most_bytes)
            content = self._content(address, response, most_bytes)
        except BaseException:
            response.close()  # what is left of the answer is not read
            raise
        response.release_conn()
        if start is not None and len(content) != size:
            raise PassingFault(f"{len(content)} of {size} bytes arrived")
        return content

    def mark(self, address: str) -> str:
        """What changes when the file does: its size, its time and its ETag.

        Raises:
            FileNotFoundError, PassingFault, StorageError: As :meth:`read`.
        """
        response = self._request("HEAD", address, {})
        response.release_conn()
        return "|".join(response.headers.get(name, "") for name in ("Content-Length", "Last-Modified", "ETag"))

    def _request(self, method: str, address: str, headers: dict[str, str]) -> Any:
        import urllib3

        target = address
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                response = self._pool().request(
                    method,
                    target,
                    headers={"Accept-Encoding": "identity", **headers},
                    preload_content=False,
                    redirect=False,
                    retries=False,
                )
            except urllib3.exceptions.LocationParseError as error:
                raise StorageError(f"{address} is not an address that can be read ({error}).") from error
            except urllib3.exceptions.HTTPError as error:
                raise PassingFault(str(error)) from error
            if response.status not in _REDIRECTS:
                return self._judged(address, response)
            location = urljoin(target, response.headers.get("Location", ""))
            response.close()
            if urlsplit(location).scheme not in ("https", urlsplit(target).scheme):
                raise StorageError(f"{address} is sent on to {location:.200}: only https addresses are followed.")
            target = location
        raise StorageError(f"{address} is sent on more than {_MOST_REDIRECTS} times: name the address itself.")

    def _judged(self, address: str, response: Any) -> Any:
        status = response.status
        if 200 <= status < 300:
            return response
        wait = response.headers.get("Retry-After", "")
        response.close()
        if status in (404, 410):
            raise FileNotFoundError(f"There is no file at {address} (status {status}).")
        if status in _PASSING:
            seconds = min(float(wait), _LONGEST_WAIT) if wait.isdigit() else 0.0
            raise PassingFault(f"the server answers with status {status}", seconds)
        hint = " The address may need another signature or permission." if status in (401, 403) else ""
        raise StorageError(f"{address} cannot be read: the server answers with status {status}.{hint}")

    def _content(self, address: str, response: Any, most_bytes: int) -> bytes:
        import urllib3

        blocks, total = [], 0
        try:
            while block := response.read(min(_BLOCK, most_bytes + 1 - total), decode_content=False):
                blocks.append(block)
                total += len(block)
                if total > most_bytes:
                    raise _too_large(address, most_bytes)
        except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
            raise PassingFault(str(error)) from error
        return b"".join(blocks)

    @staticmethod
    def _require_part(address: str, response: Any, start: int, size: int) -> None:
        if response.status != 206:
            raise StorageError(
                f"{address}: the server does not send parts of files (status {response.status} to a Range request)."
                " Serve the shards by one that does, such as nginx, Apache or an object store."
            )
        found = response.headers.get("Content-Range", "").rpartition("/")[0]
        if found != f"bytes {start}-{start + size - 1}":
            raise StorageError(
                f"{address}: the server sends {found or 'an unnamed part'} where bytes {start}-{start + size - 1} were"
                " asked for: the file is shorter than its index says, or another one."
            )

    def _pool(self) -> Any:
        import urllib3

        process = os.getpid()
        if process not in self._pools:  # also in a forked process, which must not use the connections of its parent
            pool = urllib3.PoolManager(maxsize=16, timeout=urllib3.Timeout(self.timeout))
            self._pools = {process: pool}
        return self._pools[process]


def _too_large(address: str, most_bytes: int) -> StorageError:
    return StorageError(
        f"{address} has more than {most_bytes / MIB:,.0f} MiB, which no file of its kind has: it is another file."
    )
