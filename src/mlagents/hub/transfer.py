"""Sending results folders to the hub, and fetching them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlagents.hub.card import read_run, write_description
from mlagents.settings.errors import UnityTrainerException

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_REPO_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_HTTP_LIBRARIES = frozenset({"httpcore", "httpx", "httpx2", "requests", "urllib3"})
_NEEDS_HUB = "This needs the package huggingface-hub. Install it with: pip install huggingface-hub"


def push_run(
    folder: Path,
    repo_id: str,
    commit_message: str = "Push to Hub",
    configuration_name: str = "configuration.yaml",
) -> str:
    """Upload a results folder, with a model card; the repository is made where it is missing.

    Args:
        folder: results folder of a run.
        repo_id: ``user/name`` on the hub.
        commit_message: message of the upload.
        configuration_name: file in the folder that holds the options of the run.

    Returns:
        Address of the repository.

    Raises:
        UnityTrainerException: nothing to share, a bad name, or the hub refuses; the message says which.
    """
    _check(repo_id)
    api = _api()
    write_description(read_run(folder, configuration_name), folder, repo_id)
    with explaining(repo_id):
        address = api.create_repo(repo_id=repo_id, exist_ok=True)
        api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=commit_message)
    return str(address)


def load_run(repo_id: str, local_dir: Path) -> Path:
    """Download a repository into ``local_dir/name``.

    Returns:
        The folder.

    Raises:
        UnityTrainerException: a bad name, no such repository, or no connection; the message says which.
    """
    _check(repo_id)
    download = _snapshot_download()
    target = local_dir / repo_id.split("/")[1]
    with explaining(repo_id):
        download(repo_id=repo_id, local_dir=str(target))
    return target


def _check(repo_id: str) -> None:
    if not _REPO_ID.fullmatch(repo_id) or ".." in repo_id:
        raise UnityTrainerException(f"'{repo_id}' is not a repository; write it as user/name.")


def _api() -> HfApi:
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise UnityTrainerException(_NEEDS_HUB) from None
    return HfApi()


def _snapshot_download() -> Callable[..., Any]:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise UnityTrainerException(_NEEDS_HUB) from None
    return snapshot_download


@contextmanager
def explaining(repo_id: str) -> Iterator[None]:
    """Turn what the hub's client raises into one line.

    Raises:
        UnityTrainerException: naming the repository and what to do.
    """
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    try:
        yield
    except RepositoryNotFoundError:
        raise UnityTrainerException(
            f"The hub has no repository {repo_id}, or it is private; check the name, or log in with: "
            "hf auth login"
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        advice = " Log in with: hf auth login" if status in {401, 403} else ""
        reason = str(error).strip().splitlines()[0]
        raise UnityTrainerException(f"The hub refuses {repo_id}: {reason}{advice}") from None
    except Exception as error:  # no connection, in the words of several libraries
        if not (isinstance(error, OSError | RuntimeError) or _is_of_connection(error)):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UnityTrainerException(
            f"{repo_id} could not be transferred: {reason}. Check the connection to the hub."
        ) from None


def _is_of_connection(error: Exception) -> bool:
    """Whether the library that the hub's client connects with raised it; which one depends on its version."""
    return any(kind.__module__.partition(".")[0] in _HTTP_LIBRARIES for kind in type(error).__mro__)
