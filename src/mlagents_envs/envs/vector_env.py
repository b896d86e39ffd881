"""All agents of a behavior as the sub-environments of one Gymnasium vector environment.

Typical use::

    env = UnityVectorEnv(make_environment("3DBall"))  # twelve agents
    observations, infos = env.reset()
    observations, rewards, terminations, truncations, infos = env.step(env.action_space.sample())
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, BaseEnv, DecisionSteps, TerminalSteps
from mlagents_envs.envs.behavior_spaces import ActionLayout, Observation, ObservationLayout, idle_actions
from mlagents_envs.envs.environment_source import (
    MAX_SILENT_STEPS,
    EnvironmentMaker,
    EnvironmentSource,
    side_channels_of,
)
from mlagents_envs.side_channel.side_channel import SideChannel

VectorStepResult = tuple[
    Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]


class UnityVectorEnv(gymnasium.vector.VectorEnv[Any, Any, NDArray[Any]]):
    """Gymnasium vector view of one behavior: agent ``i`` is sub-environment ``i``.

    Sub-environments reset themselves in the same step (``AutoresetMode.SAME_STEP``): where an episode
    ended, the observation is the first of the next episode, and ``infos["final_obs"]`` holds the last of
    the old one. The end of an episode is reported when the first observation of its successor is there.

    A step lasts until some agent asks for a decision. Agents of the usual games ask all at once. Where one
    does not, its action is not used, its observation is the last it had, its reward 0, and
    ``infos["decision_requested"]`` False. Agents of other behaviors idle (zero
    actions, or the first allowed).

    ``infos`` also holds ``action_mask`` for discrete actions (1 where allowed, as ``sample`` takes it), and
    ``group_id`` and ``group_reward``; all arrays have one row per agent.

    Args:
        env: an environment, or a function that builds one from a seed; only with a function does
            ``reset(seed=...)`` reach the environment, which is then built anew.
        behavior_name: the behavior to show, with or without its team; None for the only one.
        uint8_visual: images as bytes 0 to 255 instead of floats 0 to 1.
        flatten_branched: one ``Discrete`` action for all combinations of several branches.
        allow_multiple_obs: True for a tuple of observations, False for the first kind only (images, then
            vectors), None for a tuple where there are several kinds.

    Attributes:
        name: the behavior shown.
        num_envs: number of agents that asked first; agents that come later take the places of agents
            whose episodes ended.

    Raises:
        gymnasium.error.Error: the behavior is missing or not clear, or has nothing to observe or to do.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "autoreset_mode": AutoresetMode.SAME_STEP,
        "render_modes": [],
    }

    def __init__(
        self,
        env: BaseEnv | EnvironmentMaker,
        behavior_name: str | None = None,
        *,
        uint8_visual: bool = False,
        flatten_branched: bool = False,
        allow_multiple_obs: bool | None = None,
    ) -> None:
        self._source = EnvironmentSource(env)
        self._env = self._source.reset()
        self.name = _choose_behavior(self._env, behavior_name)
        spec = self._env.behavior_specs[self.name]
        try:
            self._layout = ObservationLayout(spec, uint8_visual=uint8_visual, multiple=allow_multiple_obs)
            self._actions = ActionLayout(spec.action_spec, flatten_branched=flatten_branched)
        except ValueError as error:
            raise gymnasium.error.Error(f"The behavior {self.name} cannot be used: {error}.") from None
        self._begin(self._await_decisions())
        self.single_observation_space = self._layout.space
        self.single_action_space = self._actions.space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    @property
    def side_channel(self) -> dict[str, SideChannel]:
        """Side channels of the environment by the name of their class."""
        return side_channels_of(self._env)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start new episodes of all agents.

        Args:
            seed: seed of the environment, see the class; None continues its random numbers.
            options: not used; single agents cannot be reset, so ``reset_mask`` is refused.

        Returns:
            First observations ``(num_envs, ...)``, and the infos.

        Raises:
            gymnasium.error.Error: a ``reset_mask`` is given, nobody asks for a decision, or the number of
                agents has changed.
        """
        if options is not None and "reset_mask" in options:
            raise gymnasium.error.Error("Single agents cannot be reset from outside; leave reset_mask out.")
        super().reset(seed=seed)
        self._env = self._source.reset(seed)
        decisions = self._await_decisions()
        if len(decisions) != self.num_envs:
            raise gymnasium.error.Error(
                f"The behavior {self.name} had {self.num_envs} agents, and has {len(decisions)} after the "
                "reset."
            )
        self._begin(decisions)
        return self._observe(), self._infos(decisions)

    def step(self, actions: Any) -> VectorStepResult:  # noqa: ANN401  # batched elements of the space
        """Act for all agents, and run the environment until agents ask again.

        Args:
            actions: batched actions: array ``(num_envs, ...)``, or a tuple of two for hybrid actions.

        Returns:
            Observations, rewards float64 ``(num_envs,)``, terminations and truncations bool
            ``(num_envs,)``, infos.

        Raises:
            gymnasium.error.InvalidAction: wrong shape, or a choice out of range.
            gymnasium.error.Error: nobody asks any more, or more agents have come than there is room for.
        """
        columns = self._actions.columns(actions, self.num_envs)
        if self._asking is not None:
            columns = ActionTuple(columns.continuous[self._asking], columns.discrete[self._asking])
        self._env.set_actions(self.name, columns)
        self._step_environment()
        decisions = self._await_decisions()
        rewards, group_rewards = np.zeros((2, self.num_envs))
        ended, interrupted, finals = self._take(decisions, rewards, group_rewards)
        infos = self._infos(decisions)
        infos["group_reward"], infos["_group_reward"] = group_rewards, infos["_group_id"] | ended
        if finals is not None:
            infos["final_obs"], infos["_final_obs"] = finals, ended.copy()
        return self._observe(), rewards, ended & ~interrupted, ended & interrupted, infos

    def close_extras(self, **kwargs: Any) -> None:  # noqa: ANN401
        """Close the environment."""
        self._source.env.close()

    def _await_decisions(self) -> DecisionSteps:
        """Run the environment until somebody asks; ends of episodes on the way are kept."""
        for _ in range(MAX_SILENT_STEPS):
            decisions, terminals = self._env.get_steps(self.name)
            if len(terminals) and hasattr(self, "_slots"):
                self._keep_ends(terminals)
            if len(decisions):
                return decisions
            self._step_environment()
        raise gymnasium.error.Error(
            f"No agent of the behavior {self.name} asked for a decision in {MAX_SILENT_STEPS} steps of the "
            "environment."
        )

    def _step_environment(self) -> None:
        """One step of the environment, in which the agents of other behaviors idle."""
        for name, spec in self._env.behavior_specs.items():
            if name != self.name:
                self._env.set_actions(name, idle_actions(spec.action_spec, self._env.get_steps(name)[0]))
        self._env.step()

    def _begin(self, decisions: DecisionSteps) -> None:
        """Give every agent a place, in the order of the rows."""
        n = self.num_envs = len(decisions)
        self._ids = decisions.agent_id.copy()
        self._slots = {agent: slot for slot, agent in enumerate(self._ids.tolist())}
        self._columns = [column.copy() for column in decisions.obs]
        self._asking: NDArray[np.int64] | None = None  # None: all, in order
        self._ended = np.zeros(n, dtype=np.bool_)  # ends not yet reported
        self._end_interrupted = np.zeros(n, dtype=np.bool_)
        self._end_rewards = np.zeros((2, n))  # of the agents themselves, and of their groups
        self._end_columns = [np.zeros_like(column) for column in self._columns]

    def _keep_ends(self, terminals: TerminalSteps) -> None:
        """Note ends of episodes until the agents ask again."""
        for row, agent in enumerate(terminals.agent_id.tolist()):
            slot = self._slots.get(agent)
            if slot is None or self._ended[slot]:  # an episode without any decision shows nowhere
                continue
            self._ended[slot] = True
            self._end_interrupted[slot] = terminals.interrupted[row]
            self._end_rewards[:, slot] = terminals.reward[row], terminals.group_reward[row]
            for kept, column in zip(self._end_columns, terminals.obs, strict=True):
                kept[slot] = column[row]

    def _take(
        self, decisions: DecisionSteps, rewards: NDArray[np.float64], group_rewards: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.object_] | None]:
        """Take over what those who ask have to say.

        Args:
            decisions: the agents that ask.
            rewards: float64 ``(num_envs,)``, filled in.
            group_rewards: the same.

        Returns:
            Whose episode ended and whose was cut, bool ``(num_envs,)`` each, and the final observations as
            an object array ``(num_envs,)`` or None.
        """
        if np.array_equal(decisions.agent_id, self._ids):
            self._asking = None
            self._columns = decisions.obs
            rewards[:], group_rewards[:] = decisions.reward, decisions.group_reward
            if not self._ended.any():
                return self._ended, self._ended, None
            asked = np.ones(self.num_envs, dtype=np.bool_)
        else:
            slots = self._asking = self._find_slots(decisions.agent_id)
            self._columns = [column.copy() for column in self._columns]
            for column, new in zip(self._columns, decisions.obs, strict=True):
                column[slots] = new
            rewards[slots], group_rewards[slots] = decisions.reward, decisions.group_reward
            asked = np.zeros(self.num_envs, dtype=np.bool_)
            asked[slots] = True
        ended = self._ended & asked
        # a reward between the end of an episode and the first decision of the next belongs to neither
        rewards[ended], group_rewards[ended] = self._end_rewards[:, ended]
        finals = np.full(self.num_envs, None, dtype=object)
        for slot in np.flatnonzero(ended).tolist():
            finals[slot] = self._layout.row(self._end_columns, slot)
        self._ended = self._ended & ~asked
        return ended, self._end_interrupted.copy(), finals if ended.any() else None

    def _find_slots(self, agent_id: NDArray[np.int32]) -> NDArray[np.int64]:
        """Places of agents; a newcomer gets the first place whose agent's episode ended."""
        slots = np.empty(len(agent_id), dtype=np.int64)
        present = set(agent_id.tolist())
        for row, agent in enumerate(agent_id.tolist()):
            slot = self._slots.get(agent)
            if slot is None:
                free = [s for s in np.flatnonzero(self._ended).tolist() if int(self._ids[s]) not in present]
                if not free:
                    raise gymnasium.error.Error(
                        f"The agent {agent} of the behavior {self.name} came when all {self.num_envs} places "
                        "were taken. Use PettingZoo for agents that come and go."
                    )
                slot = free[0]
                del self._slots[int(self._ids[slot])]
                self._slots[agent], self._ids[slot] = slot, agent
            slots[row] = slot
        return slots

    def _observe(self) -> Observation:
        """Observations of all agents, the caller's to keep."""
        batch = self._layout.batch(self._columns)
        if isinstance(batch, tuple):
            return tuple(part.copy() for part in batch)
        return batch.copy()

    def _infos(self, decisions: DecisionSteps) -> dict[str, Any]:
        rows = slice(None) if self._asking is None else self._asking
        asked = np.zeros(self.num_envs, dtype=np.bool_)
        asked[rows] = True
        group_id = np.zeros(self.num_envs, dtype=np.int32)
        group_id[rows] = decisions.group_id
        infos: dict[str, Any] = {"decision_requested": asked, "group_id": group_id}
        if decisions.action_mask is not None:
            masks = [np.zeros((self.num_envs, mask.shape[1]), np.bool_) for mask in decisions.action_mask]
            for mask, new in zip(masks, decisions.action_mask, strict=True):
                mask[rows] = new
            infos["action_mask"] = self._actions.allowed(masks)
        infos.update({f"_{key}": asked.copy() for key in list(infos)})
        infos["_decision_requested"] = np.ones(self.num_envs, dtype=np.bool_)
        return infos


def _choose_behavior(env: BaseEnv, name: str | None) -> str:
    """The behavior to show.

    Raises:
        gymnasium.error.Error: it does not exist, or several fit.
    """
    known = list(env.behavior_specs)
    fitting = [b for b in known if name is None or name in (b, b.split("?", 1)[0])]
    if len(fitting) != 1:
        asked = "no behavior_name is given" if name is None else f"behavior_name is {name!r}"
        raise gymnasium.error.Error(
            f"A vector environment shows one behavior; {asked}, and there are: {', '.join(known) or 'none'}."
        )
    return fitting[0]
