"""Fetching files over HTTP: bounded, retried, checked, and never half of one."""

from __future__ import annotations

import errno
import hashlib
import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.files import atomic_writer
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)

NUMBER_ATTEMPTS = 5
"""Times that a download is tried."""

TIMEOUT = 30.0
"""Seconds without any data after which an attempt has failed."""

RETRY_DELAY = 0.5
"""Seconds before the second attempt; doubled before every further one."""

_CHUNK = 1 << 20
_NEVER_BETTER = (400, 401, 403, 404, 405, 410)  # a second attempt gets the same answer


def download(url: str, target: Path, *, max_bytes: int, sha256: str | None = None) -> None:
    """Fetch a file.

    Args:
        url: an http or https address.
        target: file to write; replaced only by a complete one.
        max_bytes: most bytes accepted.
        sha256: checksum of the file in hexadecimal; None accepts any content.

    Raises:
        UnityEnvironmentException: the address is of another kind, cannot be reached, gives an error or
            too many bytes, or the checksum differs.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UnityEnvironmentException(f"Only http and https addresses can be downloaded, not {url}.")
    for attempt in range(1, NUMBER_ATTEMPTS + 1):
        try:
            with atomic_writer(target) as file:
                digest = _fetch(url, file, max_bytes)
                _check(url, digest, sha256)
            return
        except (OSError, http.client.HTTPException) as error:
            final = isinstance(error, urllib.error.HTTPError) and error.code in _NEVER_BETTER
            final = final or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
            if final or attempt == NUMBER_ATTEMPTS:
                tries = "" if attempt == 1 else f" after {attempt} attempts"
                raise UnityEnvironmentException(f"{url} cannot be downloaded{tries}: {error}") from error
            _LOGGER.warning(
                "Attempt %d of %d to download %s failed: %s", attempt, NUMBER_ATTEMPTS, url, error
            )
            time.sleep(RETRY_DELAY * 2 ** (attempt - 1))


def _fetch(url: str, file: BinaryIO, max_bytes: int) -> str:
    """Write the body of an answer to ``file``, and return its SHA-256.

    Raises:
        UnityEnvironmentException: there are too many bytes.
        OSError: the connection failed, or broke off too early.
    """
    digest = hashlib.sha256()
    received = 0
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        if urlsplit(response.url).scheme not in ("http", "https"):
            raise UnityEnvironmentException(f"{url} leads to {response.url}, which is not accepted.")
        length = response.headers.get("Content-Length", "")
        announced = int(length) if length.isdecimal() else None
        if announced is not None and announced > max_bytes:
            raise _too_large(url, max_bytes)
        while chunk := response.read(_CHUNK):
            received += len(chunk)
            if received > max_bytes:
                raise _too_large(url, max_bytes)
            digest.update(chunk)
            file.write(chunk)
    if announced is not None and received != announced:
        raise OSError(f"the connection broke off after {received} of {announced} bytes")
    return digest.hexdigest()


def _check(url: str, digest: str, expected: str | None) -> None:
    if expected is not None and digest != expected.lower():
        raise UnityEnvironmentException(
            f"{url} has the SHA-256 checksum {digest}, but {expected.lower()} is expected. The file was "
            "changed or damaged; nothing of it is used."
        )


def _too_large(url: str, max_bytes: int) -> UnityEnvironmentException:
    return UnityEnvironmentException(f"{url} is larger than {max_bytes} bytes, which is the most accepted.")
