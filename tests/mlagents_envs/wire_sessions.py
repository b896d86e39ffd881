"""An environment and a scripted game in a thread, connected."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

from game_client import GameClient, GameThread

from mlagents_envs.communicator.server import ExchangeServer
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.rpc_communicator import RpcCommunicator
from mlagents_envs.side_channel.side_channel import SideChannel

RESET, STEP = 1, 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether one could listen on the port again, on both loopback addresses."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen(1)
            except OSError as error:
                if error.errno != 99:  # no IPv6 here
                    return False
    return True


def server_of(env: UnityEnvironment) -> ExchangeServer:
    communicator = env._session._communicator
    assert isinstance(communicator, RpcCommunicator)
    return communicator._server


def is_pending(env: UnityEnvironment) -> bool:
    """Whether the game waits for a reply."""
    return server_of(env).is_pending


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 5 s")


@contextlib.contextmanager
def connected(
    script: Callable[[GameClient], object],
    seed: int = 0,
    num_areas: int = 1,
    side_channels: list[SideChannel] | None = None,
) -> Iterator[UnityEnvironment]:
    """An environment that the script plays with, as if it were an editor."""
    port = free_port()
    game = GameThread(port, script)
    env = UnityEnvironment(
        base_port=port, timeout_wait=5, seed=seed, num_areas=num_areas, side_channels=side_channels
    )
    try:
        yield env
    finally:
        env.close()
        game.finish()
        assert is_free(port)
