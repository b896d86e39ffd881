"""Whatever somebody has as an environment, as what a run takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry import EnvironmentFactory, EnvironmentOptions


def as_environment(given: Any) -> BaseEnv | EnvironmentFactory:  # noqa: ANN401 - that is its purpose
    """An environment or factory for a run.

    Args:
        given: a ``BaseEnv``; a Gymnasium environment or vector environment; or a function that builds one of
            these, with the :class:`EnvironmentOptions` as its argument if it has one.

    Raises:
        TypeError: it is none of these.
        UnityEnvironmentException: a space of a Gymnasium environment cannot be mapped.
    """
    if isinstance(given, BaseEnv):
        return given
    if _is_gymnasium(given):
        return _wrap(given, EnvironmentOptions())
    if callable(given):
        return _AnyFactory(given, _wants_options(given))
    raise TypeError(
        f"A {type(given).__name__} is no environment: give a name, a BaseEnv, a Gymnasium environment, or a "
        "function that builds one."
    )


@dataclass(frozen=True)
class _AnyFactory:
    """Builds an environment for a run; a class, so that it can go to other processes."""

    make: Callable[..., Any]
    wants_options: bool

    def __call__(self, options: EnvironmentOptions) -> BaseEnv:
        made = self._build(options)
        if isinstance(made, BaseEnv):
            return made
        if _is_gymnasium(made):
            return _wrap(made, options, lambda: self._build(options))
        raise TypeError(f"The function returned a {type(made).__name__}, which is no environment.")

    def _build(self, options: EnvironmentOptions) -> Any:  # noqa: ANN401 - checked by the caller
        return self.make(options) if self.wants_options else self.make()


def _wants_options(factory: Callable[..., Any]) -> bool:
    """Whether a function has an argument for the options: one without default, or one of that name."""
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):  # compiled code does not always say
        return True
    required = [
        each
        for each in parameters
        if each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    return bool(required) or (bool(parameters) and parameters[0].name == "options")


def _is_gymnasium(given: object) -> bool:
    import gymnasium

    return isinstance(given, gymnasium.Env | gymnasium.vector.VectorEnv)


def _wrap(
    given: Any,  # noqa: ANN401 - a Gymnasium environment of any spaces
    options: EnvironmentOptions,
    make_another: Callable[[], Any] | None = None,
) -> BaseEnv:
    """A Gymnasium environment as a behavior; copies of it, where there is a way to make them."""
    from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

    from mlagents_envs.envs.gymnasium_env import DEFAULT_COPIES, GymnasiumEnv, behavior_name

    name = behavior_name(given.spec.id) if given.spec is not None else type(given).__name__
    if isinstance(given, VectorEnv):
        return GymnasiumEnv(given, name, seed=options.seed)
    copies = [given]
    if make_another is not None:
        copies += [make_another() for _ in range((options.num_areas or DEFAULT_COPIES) - 1)]
    vector = SyncVectorEnv(
        [lambda env=env: env for env in copies],  # type: ignore[misc]  # bound at once, each its own
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    return GymnasiumEnv(vector, name, seed=options.seed)
