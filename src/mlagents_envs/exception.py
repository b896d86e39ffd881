"""Exceptions of the environment API. All derive from :class:`UnityException`.

The names are those existing scripts catch; they are kept although most environments here are not
games of one particular engine.
"""

from __future__ import annotations


class UnityException(Exception):
    """Base of everything that an environment raises on purpose."""


class EnvironmentWarning(UserWarning):
    """The author of an environment should look at something; commands print it as one line."""


class UnityEnvironmentException(UnityException):
    """The environment could not be started, closed unexpectedly, or was used after closing."""


class UnityCommunicationException(UnityException):
    """A message arrived that this side does not accept."""


class UnityCommunicatorStoppedException(UnityException):
    """The environment announced that it is shutting down."""


class UnityObservationException(UnityException):
    """An observation does not have the declared shape, or holds NaN or infinite values."""


class UnityActionException(UnityException):
    """Actions were sent for an unknown behavior, or in the wrong shape."""


class UnityTimeOutException(UnityException):
    """The environment did not answer within the time allowed."""


class UnitySideChannelException(UnityException):
    """A side channel was configured or used wrongly."""


class UnityPolicyException(UnityException):
    """A policy could not be used; kept for existing ``except`` clauses."""


class UnityWorkerInUseException(UnityException):
    """The port of a worker is taken, usually by an environment that is still running.

    Args:
        worker_id: index of the worker whose port is taken.
    """

    MESSAGE_TEMPLATE = (
        "Couldn't start the environment because worker number {} is still in use. "
        "Close the environment that uses it, or choose another worker id or base port."
    )

    def __init__(self, worker_id: int) -> None:
        self.worker_id = worker_id
        super().__init__(self.MESSAGE_TEMPLATE.format(worker_id))
