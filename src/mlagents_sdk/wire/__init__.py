"""The gRPC seam: an environment as a game to any trainer that speaks the protocol."""

from mlagents_sdk.wire.connection import (
    NoTrainerException,
    TrainerConnection,
    TrainerLeftException,
    Welcome,
)
from mlagents_sdk.wire.game import Game
from mlagents_sdk.wire.serving import play_alone, serve

__all__ = [
    "Game",
    "NoTrainerException",
    "TrainerConnection",
    "TrainerLeftException",
    "Welcome",
    "play_alone",
    "serve",
]
