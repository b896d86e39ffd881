"""An environment whose executable lies in the network."""

from __future__ import annotations

import sys
from typing import Any

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.registry.binary_utils import get_local_binary_path


class RemoteRegistryEntry(BaseRegistryEntry):
    """An entry whose executable is downloaded when it is first made, and kept.

    Args:
        identifier: name of the environment.
        expected_reward: mean return of a good policy, None when not known.
        description: what the environment is about.
        linux_url: address of a zip file with the executable for Linux, None where there is none.
        darwin_url: the same for macOS.
        win_url: the same for Windows.
        additional_args: arguments that the executable is always started with.
        tmp_dir: base folder of the cache; None for that of the system for temporary files.
        linux_sha256: checksum of the zip file for Linux in hexadecimal; None accepts any content.
        darwin_sha256: the same for macOS.
        win_sha256: the same for Windows.
    """

    def __init__(
        self,
        identifier: str,
        expected_reward: float | None,
        description: str | None,
        linux_url: str | None,
        darwin_url: str | None,
        win_url: str | None,
        additional_args: list[str] | None = None,
        tmp_dir: str | None = None,
        *,
        linux_sha256: str | None = None,
        darwin_sha256: str | None = None,
        win_sha256: str | None = None,
    ) -> None:
        super().__init__(identifier, expected_reward, description)
        self._sources = {
            "linux": (linux_url, linux_sha256),
            "darwin": (darwin_url, darwin_sha256),
            "win32": (win_url, win_sha256),
        }
        self._additional_args = list(additional_args or ())
        self._tmp_dir = tmp_dir

    def make(self, **kwargs: Any) -> BaseEnv:  # noqa: ANN401
        """Start the executable, downloaded if it is not here yet.

        Args:
            **kwargs: arguments of ``UnityEnvironment``. ``file_name`` is not used; the entry's own
                arguments come after those in ``additional_args``.

        Raises:
            FileNotFoundError: there is no executable for this platform.
            UnityEnvironmentException: it cannot be fetched or started.
        """
        url, checksum = self._sources.get(sys.platform, (None, None))
        if url is None:
            offered = ", ".join(name for name, (source, _) in self._sources.items() if source) or "none"
            raise FileNotFoundError(
                f"The environment {self.identifier} has no executable for {sys.platform}; it has: {offered}."
            )
        path = get_local_binary_path(self.identifier, url, self._tmp_dir, sha256=checksum)
        from mlagents_envs.environment import UnityEnvironment  # gRPC is loaded only where it is needed

        kwargs.pop("file_name", None)
        arguments = [*(kwargs.pop("additional_args", None) or ()), *self._additional_args]
        return UnityEnvironment(file_name=path, additional_args=arguments, **kwargs)
