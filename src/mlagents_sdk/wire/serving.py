"""From a factory of environments to a game: find the trainer, build what it asks for, play."""

from __future__ import annotations

import itertools
import os
import time

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.logging_util import get_logger
from mlagents_envs.registry.options import EnvironmentFactory, EnvironmentOptions
from mlagents_sdk.environment import SdkEnvironment
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.wire.connection import NoTrainerException, TrainerConnection, Welcome
from mlagents_sdk.wire.game import Game

logger = get_logger(__name__)

TICK_SECONDS = 0.02
"""Real seconds per tick of an environment that plays by itself."""


def serve(
    factory: EnvironmentFactory,
    port: int | None,
    *,
    timeout: float = 5.0,
    environment_args: tuple[str, ...] = (),
    rendering: bool = False,
) -> None:
    """Let an environment be played by the trainer on a port, until the trainer has enough.

    The environment is built after the trainer said which seed and how many areas it wants. Where no
    trainer is found, or it does not suit, the environment plays by itself until it is interrupted or
    the process that started this one is gone.

    Args:
        factory: builds the environment.
        port: port of the trainer; None to play by itself from the start.
        timeout: seconds to wait until somebody listens on the port.
        environment_args: handed on to the factory.
        rendering: handed on to the factory.

    Raises:
        UnityException: the environment failed, or trainer and environment disagree.
    """
    parent = os.getppid()
    connection = None if port is None else TrainerConnection(port)
    welcome = None if connection is None else _introduce(connection, timeout)
    options = EnvironmentOptions(
        seed=0 if welcome is None else welcome.seed,
        num_areas=None if welcome is None else welcome.num_areas,
        environment_args=environment_args,
        rendering=rendering,
    )
    environment = _build(factory, options, connection)
    try:
        if connection is not None and welcome is not None:
            Game(environment, welcome.capabilities).play(connection)
        else:
            play_alone(environment, parent=parent)
    finally:
        environment.close()


def play_alone(
    environment: BaseEnv,
    *,
    parent: int | None = None,
    max_ticks: int | None = None,
    tick_seconds: float = TICK_SECONDS,
) -> None:
    """Let an environment play without a trainer: agents follow their heuristics.

    Args:
        environment: freshly built.
        parent: id of the process that started this one; once it is gone, nobody could stop the
            environment any more, so it stops. None to play on.
        max_ticks: ticks after which to stop, None for never.
        tick_seconds: real seconds per tick.

    Raises:
        AgentsError: the environment was not made with the SDK, so it needs a trainer.
    """
    if not isinstance(environment, SdkEnvironment):
        raise AgentsError(
            f"A {type(environment).__name__} cannot play by itself. Start the trainer first, then the "
            "environment."
        )
    logger.info("The environment plays by itself; Ctrl+C stops it.")
    environment.academy.disconnect()
    due = time.monotonic()
    for _ in itertools.count() if max_ticks is None else range(max_ticks):
        if parent is not None and os.getppid() != parent:
            logger.info("The process that started this one is gone. The environment closes.")
            return
        environment.tick()
        due = max(due + tick_seconds, time.monotonic())  # a slow tick is not made up for
        time.sleep(max(0.0, due - time.monotonic()))


def _introduce(connection: TrainerConnection, timeout: float) -> Welcome | None:
    """What the trainer says; None, after a line in the log, where there is none that suits."""
    try:
        connection.wait_for_trainer(timeout)
        welcome = connection.handshake()
    except NoTrainerException as error:
        logger.warning("%s", error)
        connection.close(str(error))
        return None
    logger.info(
        "Connected to the trainer on port %d (version %s, protocol %s); seed %d.",
        connection.port,
        welcome.package_version or "unknown",
        welcome.communication_version,
        welcome.seed,
    )
    return welcome


def _build(
    factory: EnvironmentFactory, options: EnvironmentOptions, connection: TrainerConnection | None
) -> BaseEnv:
    try:
        return factory(options)
    except BaseException as error:
        if connection is not None:
            connection.close(f"{type(error).__name__}: {error}")
        raise
