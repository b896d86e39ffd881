"""The wire: the server that a game connects to, and the codec between its messages and columns.

``server`` carries bytes and ``session`` waits for them, with deadlines, and says what went wrong.
``messages`` finds the parts of a message; ``steps_decoder`` (with ``agent_reader``, ``sensor_format`` and
``diagnosis``) makes columns of the agents, ``action_writer`` the reverse.
"""

from mlagents_envs.communicator.base import Communicator, PollCallback

__all__ = ["Communicator", "PollCallback"]
