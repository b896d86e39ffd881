"""What SAC draws from the replay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sac_helpers import make_networks
from trainer_helpers import behavior_spec, decision_steps, step_batch, terminal_steps

from mlagents.algorithms.sac_experience import SACExperience
from mlagents.algorithms.sac_gradients import AutogradSACGradients
from mlagents.experience.replay import ReplayStore
from mlagents.networks.observations import ObservationEncoder
from mlagents.rewards.extrinsic import ExtrinsicSettings
from mlagents.rewards.rnd_settings import RNDSettings
from mlagents.rewards.signal_set import SignalSet
from mlagents.sampling.collector import Collector
from mlagents_envs.base_env import ActionSpec, BehaviorSpec

SPEC = behavior_spec(ActionSpec.create_hybrid(1, (3,)))
GAMMA = 0.9


class Setup:
    """A replay that one agent fills, and what draws from it."""

    def __init__(
        self,
        *,
        spec: BehaviorSpec = SPEC,
        memory: dict[str, int] | None = None,
        signals: dict[str, Any] | None = None,
        batch_size: int = 64,
    ) -> None:
        self.spec = spec
        network = {"memory": memory} if memory else {}
        settings = signals or {"extrinsic": ExtrinsicSettings(gamma=GAMMA, strength=2.0)}
        self.networks, self.hyper = make_networks(
            spec, network=network, streams=len(settings), batch_size=batch_size
        )
        self.store = ReplayStore(
            spec,
            200,
            memory_size=self.networks.actor.actor_memory_size,
            critic_memory_size=self.networks.critic.memory_size,
            keeps_all_ends=len(settings) > 1,
            sequence_length=memory["sequence_length"] if memory else 1,
        )
        self.collector = Collector(self.store, 1000)
        self.encoder = ObservationEncoder("B", spec.observation_specs, normalize=False)
        device = torch.device("cpu")
        self.experience = SACExperience(
            self.store,
            spec,
            self.encoder,
            self.networks,
            SignalSet("B", spec, settings, device, 0),
            self.hyper,
            memory.get("burn_in", 0) if memory else 0,
            np.random.default_rng(0),
            device,
        )
        self.gradients = AutogradSACGradients(self.networks, self.hyper, spec.action_spec)

    def decide(self, observation: float, reward: float = 0.0, mask: list[bool] | None = None) -> int:
        masks = None if mask is None else [np.array([mask])]
        first = self.collector.observe(step_batch(decision_steps([0], [observation], [reward], masks=masks)))
        if mask is not None:
            self.store.allowed_actions[first] = ~np.array(mask)
        self.store.continuous_actions[first] = observation / 100.0
        self.store.discrete_actions[first] = int(observation) % 3
        return first

    def end(self, observation: float, reward: float, *, interrupted: bool) -> None:
        self.collector.observe(
            step_batch(terminal=terminal_steps([0], [observation], [reward], [interrupted]))
        )


def by_observation(setup: Setup) -> dict[float, dict[str, Any]]:
    """One row of a drawn batch per observation."""
    setup.experience.begin_update()
    batch = setup.experience.draw()
    found = {}
    for row in range(len(batch)):
        found[batch.inputs[0][row].item()] = {
            "next": batch.next_inputs[0][row].item(),
            "reward": batch.rewards[row, 0].item(),
            "discount": batch.discounts[row, 0].item(),
            "action": batch.continuous_actions[row, 0].item(),
            "choice": batch.discrete_actions[row, 0].item(),
            "next_allowed": batch.next_allowed[row].tolist(),
        }
    return found


def test_time_limits_bootstrap_from_the_final_observation() -> None:
    """D8: the original goes on from the observation before the limit, s and not s'."""
    setup = Setup()
    setup.decide(1.0)
    setup.decide(2.0, 0.5, mask=[False, True, False])
    setup.end(3.0, 0.25, interrupted=True)
    setup.decide(11.0)
    setup.end(12.0, 4.0, interrupted=False)
    found = by_observation(setup)
    assert set(found) == {1.0, 2.0, 11.0}
    assert found[1.0] == {
        "next": 2.0,
        "reward": 1.0,
        "discount": pytest.approx(GAMMA),
        "action": pytest.approx(0.01),
        "choice": 1,
        "next_allowed": [True, False, True],
    }
    assert found[2.0]["next"] == 3.0
    assert found[2.0]["discount"] == pytest.approx(GAMMA)
    assert found[2.0]["next_allowed"] == [True] * 3
    assert found[11.0]["discount"] == 0.0
    assert found[11.0]["reward"] == 8.0


def test_target_of_a_time_limit_by_hand() -> None:
    """D8: y = r + gamma V(final observation)."""
    setup = Setup(batch_size=4)
    setup.decide(0.3)
    setup.end(0.8, 1.5, interrupted=True)
    batch = setup.experience.draw()
    alpha = setup.gradients._temperatures()
    following = setup.gradients._policy(batch).following
    targets = setup.gradients._targets(batch, following, alpha)
    inputs = [torch.full((4, 1), 0.8)]
    encodings, _ = setup.networks.target.encode(inputs)
    values = torch.minimum(*setup.networks.target.evaluate(encodings, following.actions))[:, 0]
    entropy = -(following.probs * following.log_probs).sum(dim=1)
    soft = (following.probs * values).sum(dim=1)
    soft = soft + alpha.discrete[0] * entropy - alpha.continuous * following.log_prob
    torch.testing.assert_close(targets[:, 0], 2.0 * 1.5 + GAMMA * soft)


def test_the_smaller_of_both_targets_and_of_both_critics_counts() -> None:
    """D13: a critic that overestimates is not believed, by targets and policy alike."""
    setup = Setup(batch_size=8)
    setup.decide(0.3)
    setup.end(0.8, 1.5, interrupted=True)
    batch = setup.experience.draw()
    alpha = setup.gradients._temperatures()

    def targets() -> torch.Tensor:
        return setup.gradients._targets(batch, setup.gradients._policy(batch).following, alpha)

    def policy_gradient() -> torch.Tensor:
        setup.gradients.compute(batch)
        return setup.networks.flat_actor.gradients.clone()

    for which in ("first", "second"):
        other = "second" if which == "first" else "first"
        for network in (setup.networks.target, setup.networks.critic):
            getattr(network, other).mlp.linear_layers()[-1].bias.data += 1000.0  # believed never
        before, gradient = targets(), policy_gradient()
        for network in (setup.networks.target, setup.networks.critic):
            getattr(network, other).mlp.linear_layers()[-1].bias.data += 1000.0
        assert torch.equal(targets(), before)
        torch.testing.assert_close(policy_gradient(), gradient)
        assert targets().abs().max() < 100.0
        for network in (setup.networks.target, setup.networks.critic):
            getattr(network, other).mlp.linear_layers()[-1].bias.data -= 2000.0


def test_streams_that_ignore_ends_go_on_to_the_final_observation() -> None:
    signals = {
        "extrinsic": ExtrinsicSettings(gamma=GAMMA),
        "rnd": RNDSettings(gamma=0.8, strength=0.5, warm_up_steps=0, network_settings={"hidden_units": 4}),
    }
    setup = Setup(signals=signals)
    setup.decide(1.0)
    setup.end(2.0, 1.0, interrupted=False)
    setup.experience.begin_update()
    batch = setup.experience.draw()
    assert batch.discounts[0].tolist() == [0.0, pytest.approx(0.8)]
    assert batch.next_inputs[0][0].item() == 2.0
    transitions = setup.experience.transitions(np.zeros(3, dtype=np.int64))
    rnd = setup.experience.rewards.signals.learned["rnd"]
    torch.testing.assert_close(batch.rewards[:3, 1], 0.5 * rnd.evaluate(transitions))
    assert transitions.next_observations[0][0].item() == 2.0
    assert transitions.done.all()


def test_rewards_of_learned_signals_are_those_of_now() -> None:
    signals = {"rnd": RNDSettings(warm_up_steps=0, network_settings={"hidden_units": 4}, learning_rate=0.05)}
    setup = Setup(signals=signals)
    for observation in range(8):
        setup.decide(float(observation))
    before = setup.experience.draw().rewards.mean().item()
    for _ in range(50):
        setup.experience.rewards.learn(setup.experience.transitions(setup.experience.draw_rows()))
    after = setup.experience.draw().rewards.mean().item()
    assert after < 0.5 * before
    stats = setup.experience.rewards.take_stats()
    assert stats["Losses/RND Loss"] > 0.0
    assert not setup.experience.rewards.take_stats()


def test_sums_of_learned_rewards_per_episode() -> None:
    signals = {
        "extrinsic": ExtrinsicSettings(strength=3.0),
        "rnd": RNDSettings(
            warm_up_steps=0, strength=2.0, normalize_reward=False, network_settings={"hidden_units": 4}
        ),
    }
    setup = Setup(signals=signals)
    rewards = setup.experience.rewards
    rows = []
    for episode in range(2):
        for step in range(3):
            row = setup.decide(float(10 * episode + step))
            rewards.note_rows(row, 1)
            rows.append(row)
        setup.end(99.0, 1.0, interrupted=bool(episode))
        rewards.take_in()
    each = rewards.signals.learned["rnd"].evaluate(setup.experience.transitions(np.array(rows)))
    finished = rewards.take_finished([5.0, 7.0])
    assert finished["extrinsic"] == [15.0, 21.0]
    expected = [2.0 * each[:3].sum().item(), 2.0 * each[3:].sum().item()]
    assert len(finished["rnd"]) == 2
    # statistics of observations move with each call, so only the last episode is compared
    assert finished["rnd"][1] == pytest.approx(expected[1], rel=1e-4)
    assert rewards.take_finished([])["rnd"] == []


MEMORY = {"memory_size": 6, "sequence_length": 3, "burn_in": 2}


def filled(memory: dict[str, int], *, decisions: int = 8) -> Setup:
    setup = Setup(memory=memory, batch_size=30)
    rng = np.random.default_rng(2)
    for step in range(decisions):
        row = setup.decide(0.1 * step + 0.05, 1.0)
        setup.store.memory[row] = rng.standard_normal(memory["memory_size"])
        setup.store.critic_memory[row] = rng.standard_normal(2 * memory["memory_size"])
    setup.end(0.99, 1.0, interrupted=True)
    return setup


def test_sequences_hold_the_true_next_observation_of_every_row() -> None:
    setup = filled(MEMORY)
    setup.experience.begin_update()
    batch = setup.experience.draw()
    paths = batch.inputs[0].view(10, 4)
    assert batch.mask is not None
    masks = batch.mask.view(10, 3)
    firsts = set()
    for path, mask in zip(paths, masks, strict=True):
        count = int(mask.sum())
        firsts.add(round(path[0].item(), 2))
        assert mask.tolist() == [True] * count + [False] * (3 - count)
        if count == 3:
            torch.testing.assert_close(path.diff(), torch.full((3,), 0.1))
        else:
            assert count == 2
            assert path[:3].tolist() == pytest.approx([0.65, 0.75, 0.99])
    assert firsts == {0.05, 0.35, 0.65}


def test_memories_are_stored_ones_played_through_the_steps_before() -> None:
    """D14: no stale and no zero states; what came before is played by the networks as they are now."""
    setup = filled(MEMORY)
    setup.experience.begin_update()
    batch = setup.experience.draw()
    paths = batch.inputs[0].view(10, 4)
    store, networks = setup.store, setup.networks
    seen = set()
    for index in range(10):
        start = round(paths[index, 0].item(), 2)
        seen.add(start)
        first = {0.05: 0, 0.35: 3, 0.65: 6}[start]
        if first == 0:
            expected = torch.from_numpy(store.memory[0])
            critics = targets = torch.from_numpy(store.critic_memory[0])
        else:
            before = [torch.from_numpy(store.observations[0][first - 2 : first])]
            stored = torch.from_numpy(store.memory[first - 2 : first - 1])
            stored_critics = torch.from_numpy(store.critic_memory[first - 2 : first - 1])
            expected = networks.actor(before, stored, 2)[2][0]
            critics = networks.critic.encode(before, stored_critics, 2)[1][0]
            targets = networks.target.encode(before, stored_critics, 2)[1][0]
            assert not torch.allclose(expected, torch.from_numpy(store.memory[first]))
        torch.testing.assert_close(batch.memory[index], expected)
        torch.testing.assert_close(batch.critic_memory[index], critics)
        torch.testing.assert_close(batch.target_memory[index], targets)
    assert len(seen) == 3


def test_without_burn_in_memories_are_the_stored_ones() -> None:
    setup = filled({**MEMORY, "burn_in": 0})
    setup.experience.begin_update()
    batch = setup.experience.draw()
    starts = {0.05: 0, 0.35: 3, 0.65: 6}
    for index, path in enumerate(batch.inputs[0].view(10, 4)):
        row = starts[round(path[0].item(), 2)]
        assert batch.memory[index].tolist() == setup.store.memory[row].tolist()
        assert batch.critic_memory[index].tolist() == setup.store.critic_memory[row].tolist()


def test_a_batch_needs_as_many_decisions_and_a_sequence() -> None:
    setup = Setup(batch_size=3)
    for observation in range(4):
        assert setup.experience.is_enough == (observation > 3)
        setup.decide(float(observation))
    assert setup.experience.is_enough
