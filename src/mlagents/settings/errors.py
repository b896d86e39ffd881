"""What goes wrong between a user's wishes and a training run.

The names are those that existing scripts catch.
"""

from __future__ import annotations


class TrainerConfigError(Exception):
    """The configuration cannot be used. The message is for the user: one line per problem."""


class TrainerConfigWarning(UserWarning):
    """The configuration can be used, although part of it is ignored or probably not meant."""


class TrainerError(Exception):
    """A training run cannot start or continue for a reason that the user can act on."""


class UnityTrainerException(TrainerError):  # noqa: N818 - scripts catch it by this name
    """A run folder, a checkpoint or a model does not allow what was asked."""
