"""What goes wrong between a user's wishes and a training run.

The names are those that existing scripts catch.
"""

from __future__ import annotations


class TrainerConfigError(Exception):
    """The configuration cannot be used. The message is for the user: one line per problem."""


class CurriculumConfigError(TrainerConfigError):
    """A curriculum file of an earlier version does not fit together."""


class TrainerConfigWarning(UserWarning):
    """The configuration can be used, although part of it is ignored or probably not meant."""


class TrainerError(Exception):
    """A training run cannot start or continue for a reason that the user can act on."""


class UnityTrainerException(TrainerError):  # noqa: N818 - scripts catch it by this name
    """A run folder, a checkpoint or a model does not allow what was asked."""


class EnvironmentFailure(TrainerError):  # noqa: N818 - it is a failure of the environment, not of a trainer
    """The environment's own code raised an exception, kept as ``__cause__``.

    Args:
        environment: name of the environment.
        doing: what it was asked to do, such as "step".
        cause: what it raised.
    """

    def __init__(self, environment: str, doing: str, cause: Exception) -> None:
        self.environment = environment
        text = str(cause).strip().rstrip(".")
        what = f"{type(cause).__name__}: {text}" if text else type(cause).__name__
        super().__init__(
            f"The environment {environment} failed to {doing}: {what}. The traceback above shows where."
        )
