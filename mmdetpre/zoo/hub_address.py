"""Addresses in the Hugging Face Hub, ``hf://USER/REPO[/FILE][@REVISION]``, and how it fails, in one sentence each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmdetpre.utils.plain_text import one_line
from mmdetpre.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SCHEME = "hf://"
_FORM = re.compile(
    r"hf://(?P<repo>\w[\w.-]*/\w[\w.-]*)(?:@(?P<early>refs/(?:pr|convert)/[\w.-]+|[\w.-]+))?"
    r"(?:/(?P<file>[^@?#\\\x00-\x1f\x7f]+))?(?:@(?P<late>[\w./-]+))?",
    re.ASCII,
)


class HubError(OSError):
    """An address of the Hub that leads nowhere, or a Hub that refuses."""


class HubUnreachable(HubError):
    """The Hub does not answer."""


class NoRepository(HubError):
    """There is no such repository, or not for this user."""


@dataclass(frozen=True)
class HubAddress:
    """``hf://USER/REPO[/FILE][@REVISION]``.

    Attributes:
        repo: ``USER/REPO``.
        file: In the repository; empty: its usual file of weights.
        revision: Branch, tag or commit; None: the main one.
    """

    repo: str
    file: str = ""
    revision: str | None = None

    @classmethod
    def read(cls, text: str) -> HubAddress:
        """An address from its text; the revision may also stand behind the repository, as others write it.

        Raises:
            HubError: If it is of another form.

        Example:
            >>> HubAddress.read("hf://lab/r50/ema.safetensors@v1")
            HubAddress(repo='lab/r50', file='ema.safetensors', revision='v1')
        """
        found = _FORM.fullmatch(text)
        parts = found["file"].split("/") if found and found["file"] else []
        if not found or (found["early"] and found["late"]) or any(part in ("", ".", "..") for part in parts):
            raise HubError(
                f"{one_line(text)} is not of the form hf://USER/REPO, hf://USER/REPO/FILE or"
                " hf://USER/REPO/FILE@REVISION."
            )
        return cls(found["repo"], found["file"] or "", found["early"] or found["late"])

    def __str__(self) -> str:
        file = f"/{self.file}" if self.file else ""
        return f"{SCHEME}{self.repo}{file}{f'@{self.revision}' if self.revision else ''}"


@contextmanager
def hub_client(address: HubAddress) -> Iterator[HfApi]:
    """Lend the client of the Hub; what it raises is told in one sentence.

    It follows ``HF_ENDPOINT`` and knows who is logged in, as everywhere.

    Args:
        address: What is asked for.

    Raises:
        HubError: As it failed; `HubUnreachable` if there is no answer, `NoRepository` if there is none.
    """
    try:
        import httpx
        from huggingface_hub import HfApi, constants, errors
    except ModuleNotFoundError as error:
        raise HubError(
            f"{address} is on the Hugging Face Hub, for which the package {error.name} is missing: pip install"
            " 'mmdetpre[hub]'."
        ) from error
    hub, repo = HfApi(endpoint=constants.ENDPOINT, library_name="mmdetpre", library_version=__version__), address.repo
    log_in = "log in with `hf auth login`"
    try:
        yield hub
    except errors.GatedRepoError as error:
        raise HubError(f"{repo} is gated: ask for access at {hub.endpoint}/{repo}, then {log_in}.") from error
    except errors.RepositoryNotFoundError as error:
        raise NoRepository(
            f"{hub.endpoint} has no repository {repo}, or it is private: check its name, or {log_in}."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HubError(f"{repo} has no revision {address.revision!r}: give a branch, tag or commit of it.") from error
    except errors.HfHubHTTPError as error:
        code = error.response.status_code
        if code in (401, 403):
            raise HubError(
                f"{hub.endpoint} refuses this for {repo} ({code}): {log_in}, as a user who may do it."
            ) from error
        kind = HubUnreachable if code >= 500 else HubError
        raise kind(f"{hub.endpoint} answers {code} for {address}: {_first(error)}.") from error
    except errors.LocalTokenNotFoundError as error:
        raise HubError(f"Nobody is logged in at {hub.endpoint}: {log_in}, or set HF_TOKEN.") from error
    except errors.HFValidationError as error:
        raise HubError(f"{repo} is not a name of a repository: {_first(error)}.") from error
    except (httpx.HTTPError, errors.LocalEntryNotFoundError, ConnectionError) as error:
        raise HubUnreachable(
            f"{address} cannot be fetched: {hub.endpoint} does not answer ({_first(error)}), and the cache does not"
            " have it. Without a network, give the path of a copy."
        ) from error


def _first(error: Exception) -> str:
    return one_line((str(error).strip().splitlines() or [type(error).__name__])[0]).rstrip(".")
