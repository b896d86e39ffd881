"""What the two PettingZoo views of an environment have in common."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.envs.behavior_spaces import ActionLayout, idle_actions, unbounded_box
from mlagents_envs.envs.environment_source import (
    MAX_SILENT_STEPS,
    EnvironmentMaker,
    EnvironmentSource,
    side_channels_of,
)
from mlagents_envs.side_channel.side_channel import SideChannel

_SEPARATOR = "?agent_id="


def agent_name(behavior_name: str, agent_id: int) -> str:
    """Name of an agent in PettingZoo, such as ``Ball?team=0?agent_id=3``."""
    return f"{behavior_name}{_SEPARATOR}{agent_id}"


def behavior_of(agent: str) -> str:
    """Behavior of an agent, from its name."""
    return agent.split(_SEPARATOR, 1)[0]


class BehaviorView:
    """Spaces of the agents of one behavior, and their observations as elements of these.

    One observation is an array, several are a tuple. Agents whose actions are all discrete and that come
    with masks see ``{"observation": ..., "action_mask": ...}``, the mask being what
    ``action_space.sample`` takes. For hybrid actions that mask cannot be an element of a space, so it is
    in the info instead.

    Args:
        name: the behavior.
        spec: its observations and actions.
        masked: whether its decisions come with action masks.

    Raises:
        gymnasium.error.Error: the agents have nothing to observe or to do.
    """

    def __init__(self, name: str, spec: BehaviorSpec, *, masked: bool) -> None:
        if not spec.observation_specs:
            raise gymnasium.error.Error(f"The agents of the behavior {name} observe nothing.")
        try:
            self.actions = ActionLayout(spec.action_spec)
        except ValueError as error:
            raise gymnasium.error.Error(f"The behavior {name} cannot be used: {error}.") from None
        boxes = [unbounded_box(observation) for observation in spec.observation_specs]
        space: spaces.Space[Any] = boxes[0] if len(boxes) == 1 else spaces.Tuple(boxes)
        self.mask_in_observation = masked and spec.action_spec.is_discrete()
        if self.mask_in_observation:
            space = spaces.Dict({"observation": space, "action_mask": self._mask_space()})
        self.observation_space = space
        self.action_space = self.actions.space
        self._branches = spec.action_spec.discrete_branches

    def observation(self, steps: DecisionSteps | TerminalSteps, row: int) -> Any:  # noqa: ANN401
        """Observation of one agent, an element of :attr:`observation_space`."""
        parts = [column[row] for column in steps.obs]
        plain = parts[0] if len(parts) == 1 else tuple(parts)
        if not self.mask_in_observation:
            return plain
        return {"observation": plain, "action_mask": self._allowed(steps, row)}

    def mask_for_info(self, steps: DecisionSteps, row: int) -> Any:  # noqa: ANN401
        """What the action space samples with, where that is not part of the observation; else None."""
        if steps.action_mask is None or self.mask_in_observation:
            return None
        allowed = self._allowed(steps, row)
        return (None, allowed) if isinstance(self.action_space, spaces.Tuple) else allowed

    def _allowed(
        self, steps: DecisionSteps | TerminalSteps, row: int
    ) -> NDArray[np.int8] | tuple[NDArray[np.int8], ...]:
        masks = steps.action_mask if isinstance(steps, DecisionSteps) else None
        if masks is None:
            return self.actions.allowed([np.zeros(size, np.bool_) for size in self._branches])
        return self.actions.allowed([mask[row] for mask in masks])

    def _mask_space(self) -> spaces.Space[Any]:
        branches = self.actions.spec.discrete_branches
        masks = [spaces.Box(0, 1, (size,), np.int8) for size in branches]
        return masks[0] if isinstance(self.actions.space, spaces.Discrete) else spaces.Tuple(masks)


class UnityPettingzooBaseEnv:
    """Follows the agents of an environment between two resets.

    An agent is alive from its first decision to the end of its episode, and then out of the game until
    the next reset, for PettingZoo has no agents that return; if it goes on in the environment, it idles
    there (zero actions, or the first allowed). Where episodes of single agents end independently,
    :class:`~mlagents_envs.envs.vector_env.UnityVectorEnv` loses nothing.

    Args:
        env: an environment, or a function that builds one from a seed; only with a function does
            ``reset(seed=...)`` reach the environment, which is then built anew.
        seed: seed of the action spaces, and of the first environment that the function builds.
        metadata: description of the view as PettingZoo wants it.

    Attributes:
        metadata: the same.
        rewards: reward of each agent in the last step; group rewards are in the infos.
        terminations: whose episode came to its end.
        truncations: whose episode was cut by a time limit.
        infos: for each agent ``behavior_name``, ``group_id``, ``group_reward``, ``decision_requested``
            (whether it waits for an action), ``interrupted`` where its episode ended, and
            ``action_mask`` for hybrid actions.
        render_mode: None, nothing is drawn.
    """

    def __init__(
        self, env: BaseEnv | EnvironmentMaker, seed: int | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self.metadata: dict[str, Any] = metadata or {"render_modes": [], "name": type(self).__name__}
        self.render_mode: str | None = None
        self._source = EnvironmentSource(env, seed)
        self._seed = seed
        self._closed = False
        self._views: dict[str, BehaviorView] = {}
        self._restart(None)

    # -- what PettingZoo asks for --------------------------------------------------------------------------

    @property
    def agents(self) -> list[str]:
        """Agents in the game: those alive, and those whose end is being reported."""
        return self._agents

    @property
    def possible_agents(self) -> list[str]:
        """All agents seen since the last reset, sorted by behavior and id."""
        return sorted(self._seen, key=lambda agent: self._seen[agent])

    @property
    def observation_spaces(self) -> dict[str, spaces.Space[Any]]:
        """Observation space of every agent."""
        return {agent: self.observation_space(agent) for agent in self.possible_agents}

    @property
    def action_spaces(self) -> dict[str, spaces.Space[Any]]:
        """Action space of every agent."""
        return {agent: self.action_space(agent) for agent in self.possible_agents}

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Observation space of an agent, shared by its behavior."""
        return self._view_of(agent).observation_space

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Action space of an agent, shared by its behavior."""
        return self._view_of(agent).action_space

    @property
    def dones(self) -> dict[str, bool]:
        """Whose episode is over, for whatever reason."""
        return {agent: self._is_over(agent) for agent in self._agents}

    @property
    def side_channel(self) -> dict[str, SideChannel]:
        """Side channels of the environment by the name of their class."""
        self._check_open()
        return side_channels_of(self._source.env)

    def seed(self, seed: int | None = None) -> None:
        """Seed the action spaces, those of behaviors still to come included."""
        self._seed = seed
        for view in self._views.values():
            view.action_space.seed(seed)

    def render(self) -> None:
        """Nothing is drawn: a game draws its own window."""

    def close(self) -> None:
        """Close the environment; without effect when repeated."""
        if not self._closed:
            self._closed = True
            self._source.env.close()

    # -- following the agents ------------------------------------------------------------------------------

    def _restart(self, seed: int | None) -> None:
        """Reset the environment and run it until somebody asks for a decision."""
        self._check_open()
        self._agents: list[str] = []
        self._seen: dict[str, tuple[str, int]] = {}
        self._ended: set[str] = set()
        self._rows: dict[str, list[str]] = {}
        self._asking: list[str] = []
        self._observations: dict[str, Any] = {}
        self.rewards: dict[str, float] = {}
        self.terminations: dict[str, bool] = {}
        self.truncations: dict[str, bool] = {}
        self.infos: dict[str, dict[str, Any]] = {}
        self._source.reset(seed)
        self._read_until_asked()

    def _advance(self, actions: dict[str, Any]) -> None:
        """Act, and run the environment until somebody alive asks again, or nobody is alive.

        Args:
            actions: by agent; agents that do not ask are ignored, missing ones and None idle.

        Raises:
            gymnasium.error.Error: an action does not fit, or nobody asks any more.
        """
        asking = set(self._asking)
        given = {
            agent: self._single_action(agent, action)
            for agent, action in actions.items()
            if action is not None and agent in asking
        }
        for agent in self._agents:
            self.rewards[agent] = 0.0
            self.infos[agent] = {**self.infos[agent], "group_reward": 0.0, "decision_requested": False}
        self._step_environment(given)
        self._read_until_asked()

    def _step_environment(self, given: dict[str, ActionTuple]) -> None:
        """One step of the environment; agents without an action idle."""
        env = self._source.env
        for behavior in self._rows:
            decisions, _ = env.get_steps(behavior)
            columns = idle_actions(env.behavior_specs[behavior].action_spec, decisions)
            for row, agent in enumerate(self._rows[behavior]):
                action = given.get(agent)
                if action is not None:
                    columns.continuous[row], columns.discrete[row] = action.continuous[0], action.discrete[0]
            env.set_actions(behavior, columns)
        env.step()

    def _single_action(self, agent: str, action: Any) -> ActionTuple:  # noqa: ANN401
        try:
            return self._view_of(agent).actions.single(action)
        except (gymnasium.error.InvalidAction, TypeError, ValueError) as error:
            raise gymnasium.error.InvalidAction(f"The action of the agent {agent}: {error}") from None

    def _read_until_asked(self) -> None:
        for _ in range(MAX_SILENT_STEPS):
            self._read()
            if self._asking or (self._agents and all(self._is_over(agent) for agent in self._agents)):
                return
            self._step_environment({})
        raise gymnasium.error.Error(
            f"No agent asked for a decision in {MAX_SILENT_STEPS} steps of the environment; alive are: "
            f"{', '.join(self._agents) or 'none'}."
        )

    def _read(self) -> None:
        """Take in what all behaviors report."""
        env = self._source.env
        self._rows = {}
        self._asking = []
        for behavior in env.behavior_specs:
            decisions, terminals = env.get_steps(behavior)
            if behavior not in self._views:
                if not len(decisions):
                    continue
                self._add_view(behavior, env.behavior_specs[behavior], decisions)
            view = self._views[behavior]
            for row, agent_id in enumerate(terminals.agent_id.tolist()):
                agent = agent_name(behavior, agent_id)
                if agent in self._seen and agent not in self._ended:
                    self._end(agent, view, behavior, terminals, row)
            if len(decisions):
                self._rows[behavior] = [agent_name(behavior, i) for i in decisions.agent_id.tolist()]
            for row, agent in enumerate(self._rows.get(behavior, ())):
                if agent not in self._ended:
                    self._ask(agent, view, behavior, decisions, row)

    def _end(self, agent: str, view: BehaviorView, behavior: str, terminals: TerminalSteps, row: int) -> None:
        self._ended.add(agent)
        interrupted = bool(terminals.interrupted[row])
        self.terminations[agent], self.truncations[agent] = not interrupted, interrupted
        self._report(agent, view, behavior, terminals, row)
        self.infos[agent].update(interrupted=interrupted, decision_requested=False)

    def _ask(self, agent: str, view: BehaviorView, behavior: str, decisions: DecisionSteps, row: int) -> None:
        if agent not in self._seen:
            self._seen[agent] = (behavior, int(decisions.agent_id[row]))
            self._agents.append(agent)
            self.terminations[agent] = self.truncations[agent] = False
        self._report(agent, view, behavior, decisions, row)
        mask = view.mask_for_info(decisions, row)
        self.infos[agent].update(
            {"decision_requested": True} | ({} if mask is None else {"action_mask": mask})
        )
        self._asking.append(agent)

    def _report(
        self, agent: str, view: BehaviorView, behavior: str, steps: DecisionSteps | TerminalSteps, row: int
    ) -> None:
        self._observations[agent] = view.observation(steps, row)
        self.rewards[agent] = float(steps.reward[row])
        self.infos[agent] = {
            "behavior_name": behavior,
            "group_id": int(steps.group_id[row]),
            "group_reward": float(steps.group_reward[row]),
        }

    def _add_view(self, behavior: str, spec: BehaviorSpec, decisions: DecisionSteps) -> None:
        view = self._views[behavior] = BehaviorView(behavior, spec, masked=decisions.action_mask is not None)
        if self._seed is not None:
            view.action_space.seed(self._seed)

    def _view_of(self, agent: str) -> BehaviorView:
        view = self._views.get(behavior_of(agent))
        if view is None:
            raise gymnasium.error.Error(
                f"There is no agent {agent!r}; behaviors are {', '.join(self._views) or 'none'}."
            )
        return view

    def _is_over(self, agent: str) -> bool:
        return self.terminations[agent] or self.truncations[agent]

    def _check_open(self) -> None:
        if self._closed:
            raise gymnasium.error.Error("The environment is closed; make a new one.")
