"""Behavioral cloning: likelihoods by hand, what learns, masks, memory, schedule, state."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from imitation_helpers import demonstrations_of, random_batch, saved, spec_of
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from torch import nn

from mlagents.imitation.behavioral_cloning import LOSS_TAG, BehavioralCloning
from mlagents.imitation.cloned_policy import ClonedPolicy, gaussian_actions
from mlagents.imitation.demonstration_buffer import DemonstrationBuffer, load_demonstrations
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.factory import make_actor_critic
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents.networks.observations import ObservationEncoder
from mlagents.networks.settings import NetworkSettings
from mlagents.settings.behavior import BehavioralCloningSettings
from mlagents_envs.base_env import ActionSpec, BehaviorSpec
from mlagents_envs.demonstrations import read_demonstration

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def network_of(
    spec: BehaviorSpec, seed: int = 0, **settings: object
) -> tuple[ActorCritic | GeneralActorCritic, ObservationEncoder]:
    encoder = ObservationEncoder("Ball", spec.observation_specs, normalize=False)
    shape = NetworkSettings.model_validate({"hidden_units": 32, "num_layers": 1, **settings})
    generator = torch.Generator().manual_seed(seed)
    return make_actor_critic(encoder, spec, shape, 1, generator), encoder


def cloning(
    spec: BehaviorSpec,
    demonstrations: DemonstrationBuffer,
    network: ActorCritic | GeneralActorCritic,
    encoder: ObservationEncoder,
    *,
    learning_rate: float = 1e-2,
    batch_size: int = 32,
    sequence_length: int = 1,
    seed: int = 0,
    **settings: object,
) -> BehavioralCloning:
    return BehavioralCloning(
        BehavioralCloningSettings.model_validate({"demo_path": "expert.demo", **settings}),
        demonstrations,
        ClonedPolicy.of_actor_critic(network),
        encoder.encode,
        learning_rate=learning_rate,
        batch_size=batch_size,
        device="cpu",
        seed=seed,
        sequence_length=sequence_length,
    )


def random_demonstrations(
    spec: BehaviorSpec, count: int = 20, starts: tuple[int, ...] = (0,)
) -> DemonstrationBuffer:
    batch = random_batch(spec, count)
    return demonstrations_of(
        [column.numpy() for column in batch.observations],
        continuous=batch.continuous_actions.numpy(),
        discrete=batch.discrete_actions.numpy(),
        branches=spec.action_spec.discrete_branches,
        starts=starts,
    )


# Likelihood


def policy_of(actions: ActionSpec, *, squashed: bool = False) -> ClonedPolicy:
    def act(*_: object) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        raise NotImplementedError

    return ClonedPolicy(act, [], actions, squashed)


@pytest.mark.parametrize(("squashed", "drawn"), [(False, 1.5), (True, 0.5493061443)])
def test_continuous_likelihood_by_hand(squashed: bool, drawn: float) -> None:
    policy = policy_of(ActionSpec.create_continuous(1), squashed=squashed)
    log_sigma = torch.tensor([math.log(2.0)])
    found = policy.log_probs(
        torch.tensor([[0.3]]),
        log_sigma,
        torch.tensor([[0.5]]),
        torch.zeros(1, 0).long(),
        torch.ones(1, 0).bool(),
    )
    expected = -0.5 * ((drawn - 0.3) / 2.0) ** 2 - math.log(2.0) - HALF_LOG_TWO_PI
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_discrete_likelihood_by_hand_leaves_out_forbidden_choices() -> None:
    policy = policy_of(ActionSpec.create_discrete((3, 2)))
    logits = torch.tensor([[1.0, 2.0, 3.0, 0.5, -0.5]])
    allowed = torch.tensor([[True, True, False, True, True]])
    found = policy.log_probs(logits, torch.zeros(0), torch.zeros(1, 0), torch.tensor([[1, 0]]), allowed)
    expected = 2.0 - math.log(math.e + math.e**2) + 0.5 - math.log(math.e**0.5 + math.e**-0.5)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_the_likelihood_of_a_whole_action_is_the_product_over_its_parts() -> None:
    policy = policy_of(ActionSpec.create_hybrid(2, (2,)))
    found = policy.log_probs(
        torch.tensor([[0.0, 0.0, 1.0, 1.0]]),
        torch.zeros(2),
        torch.tensor([[0.0, 1 / 3]]),
        torch.tensor([[1]]),
        torch.ones(1, 2).bool(),
    )
    assert found.item() == pytest.approx(-2 * HALF_LOG_TWO_PI - 0.5 + math.log(0.5), rel=1e-6)


def test_actions_at_the_edge_of_what_tanh_reaches_stay_finite() -> None:
    edge = gaussian_actions(torch.tensor([1.0, -1.0]), squashed=True)
    assert torch.isfinite(edge).all()
    assert_allclose(torch.tanh(edge), [0.999, -0.999], rtol=1e-5)


# Learning


def constant_expert(spec: BehaviorSpec, action: float, count: int = 64) -> DemonstrationBuffer:
    places = np.random.default_rng(0).normal(size=(count, 2))
    return demonstrations_of([places], continuous=np.full((count, 1), action))


def test_the_clone_does_in_the_environment_what_the_expert_did() -> None:
    spec = spec_of(2, actions=ActionSpec.create_continuous(1))
    network, encoder = network_of(spec)
    learner = cloning(spec, constant_expert(spec, 0.6), network, encoder)
    for step in range(60):
        learner.update(step)
    outputs, _ = network.act((torch.randn(20, 2),))
    sent = outputs.clamp(-3, 3) / 3
    assert_allclose(sent.detach(), 0.6, atol=0.05)
    assert network.log_sigma.item() < -1.0  # the expert never varied


class TanhActor(nn.Module):
    """What SAC acts with: means and deviations that depend on the state, squashed by tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def __call__(
        self, inputs: tuple[torch.Tensor, ...], memory: torch.Tensor | None, sequence_length: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean, log_sigma = self.layer(inputs[0]).chunk(2, dim=1)
        return mean, log_sigma.clamp(-20, 2), inputs[0].new_zeros(len(inputs[0]), 0)


def test_a_squashed_policy_is_cloned_in_environment_units_too() -> None:
    spec = spec_of(2, actions=ActionSpec.create_continuous(1))
    torch.manual_seed(0)
    actor = TanhActor()
    policy = ClonedPolicy(actor, list(actor.parameters()), spec.action_spec, squashed=True)
    encoder = ObservationEncoder("Ball", spec.observation_specs, normalize=False)
    learner = BehavioralCloning(
        BehavioralCloningSettings(demo_path="x"),
        constant_expert(spec, 0.6),
        policy,
        encoder.encode,
        learning_rate=2e-2,
        batch_size=32,
        device="cpu",
        seed=0,
    )
    for step in range(100):
        learner.update(step)
    mean, _, _ = actor((torch.randn(20, 2),), None, 1)
    assert_allclose(torch.tanh(mean).detach(), 0.6, atol=0.05)


def test_only_the_actor_learns_and_gradients_of_others_are_left_alone() -> None:
    spec = spec_of(3)
    network, encoder = network_of(spec)
    flat = FlatParameters(network)
    flat.gradients.fill_(7.0)
    before = {name: parameter.clone() for name, parameter in network.named_parameters()}
    cloning(spec, random_demonstrations(spec), network, encoder).update(0)
    for name, parameter in network.named_parameters():
        assert torch.equal(before[name], parameter) is name.startswith("critic"), name
    assert (flat.gradients == 7.0).all()
    joined = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    assert torch.equal(flat.values, joined)


def test_the_loss_is_the_mean_negative_log_likelihood_and_no_sample_of_it() -> None:
    spec = spec_of(3)
    network, encoder = network_of(spec)
    demonstrations = random_demonstrations(spec, 10)
    learner = cloning(spec, demonstrations, network, encoder)
    with torch.no_grad():
        outputs, _ = network.act((torch.from_numpy(demonstrations.observations[0][:]),))
    raw = 3.0 * demonstrations.continuous_actions
    expected = (0.5 * (raw - outputs[:, :2].numpy()) ** 2 + HALF_LOG_TWO_PI).sum(axis=1)
    for branch, columns in enumerate((slice(2, 5), slice(5, 7))):
        likelihood = torch.softmax(outputs[:, columns].double(), dim=1).numpy()
        expected -= np.log(likelihood[np.arange(10), demonstrations.discrete_actions[:, branch]])
    everything = demonstrations.sequences(1)
    assert learner.loss(everything).item() == pytest.approx(expected.mean(), rel=1e-5)
    assert learner.loss(everything).item() == learner.loss(everything).item()


def test_forbidden_actions_do_not_count() -> None:
    spec = spec_of(1, actions=ActionSpec.create_discrete((3,)))
    demonstrations = demonstrations_of([np.zeros((4, 1))], discrete=np.zeros((4, 1)), branches=(3,))
    network, encoder = network_of(spec)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    everything = demonstrations.sequences(1)
    learner = cloning(spec, demonstrations, network, encoder)
    assert learner.loss(everything).item() == pytest.approx(math.log(3))
    demonstrations.allowed_actions[:, 2] = False
    assert learner.loss(everything).item() == pytest.approx(math.log(2))


def test_a_recording_is_cloned(shared_data: Path) -> None:
    path = shared_data / "demos" / "ExpertBasic.demo"
    spec = read_demonstration(path).behavior_spec
    demonstrations = load_demonstrations(path, "Basic", spec)
    network, encoder = network_of(spec)
    learner = cloning(spec, demonstrations, network, encoder)
    for step in range(40):
        learner.update(step)
    outputs, _ = network.act((torch.from_numpy(demonstrations.observations[0][:]),))
    agree = outputs.argmax(dim=1).numpy() == demonstrations.discrete_actions[:, 0]
    assert agree.mean() > 0.95


# Memory


def recurrent(spec: BehaviorSpec) -> tuple[GeneralActorCritic, ObservationEncoder]:
    network, encoder = network_of(spec, memory={"memory_size": 8, "sequence_length": 4})
    assert isinstance(network, GeneralActorCritic)
    with torch.no_grad():
        for parameter in network.actor.parameters():
            parameter.mul_(3)  # so that memory matters
    return network, encoder


def test_sequences_begin_with_what_the_policy_remembers_of_the_episode() -> None:
    spec = spec_of(3, actions=ActionSpec.create_discrete((4,)))
    demonstrations = random_demonstrations(spec, 22, starts=(0, 9, 10))
    network, encoder = recurrent(spec)
    learner = cloning(spec, demonstrations, network, encoder, sequence_length=4)
    sequences = demonstrations.sequences(4)
    found = learner.loss(sequences, learner._memories()).item()
    whole = []
    for begin, end in ((0, 9), (9, 10), (10, 22)):  # each episode in one go
        inputs = torch.from_numpy(demonstrations.observations[0][begin:end])
        logits, _ = network.act((inputs,), None, end - begin)
        choices = torch.from_numpy(demonstrations.discrete_actions[begin:end, 0])
        whole.append(nn.functional.cross_entropy(logits, choices, reduction="sum").item())
    assert found == pytest.approx(sum(whole) / 22, rel=1e-5)
    assert learner.loss(sequences).item() != pytest.approx(found, rel=1e-3)  # without memory


def test_padding_is_no_part_of_the_loss() -> None:
    spec = spec_of(3, actions=ActionSpec.create_discrete((4,)))
    network, encoder = recurrent(spec)
    learner = cloning(spec, random_demonstrations(spec, 6), network, encoder, sequence_length=4)
    short = np.array([[0, 1, 2, -1]])
    assert learner.loss(short).item() == pytest.approx(learner.loss(short[:, :3]).item(), rel=1e-5)


def test_what_must_be_remembered_is_cloned() -> None:
    """The first observation of an episode says what to do in the last of its seven steps."""
    rng = np.random.default_rng(0)
    cues = rng.integers(2, size=60)
    observations = np.zeros((60, 7, 2), np.float32)
    observations[np.arange(60), 0, cues] = 1.0
    actions = np.zeros((60, 7), np.int64)
    actions[:, 6] = cues
    demonstrations = demonstrations_of(
        [observations.reshape(-1, 2)],
        discrete=actions.reshape(-1, 1),
        branches=(2,),
        starts=tuple(range(0, 420, 7)),
    )
    spec = spec_of(2, actions=ActionSpec.create_discrete((2,)))
    network, encoder = network_of(spec, memory={"memory_size": 16, "sequence_length": 7})
    learner = cloning(spec, demonstrations, network, encoder, sequence_length=7, batch_size=140)
    for step in range(150):
        loss = learner.update(step)[LOSS_TAG]
    assert loss < 0.02


# Budget, schedule, state


def count_steps(learner: BehavioralCloning) -> int:
    learner.update(0)
    return int(learner.get_state()["optimizer"]["num_steps"])


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({}, 3 * (100 // 32)),
        ({"num_epoch": 5}, 5 * 3),
        ({"batch_size": 10}, 3 * 10),
        ({"samples_per_update": 50, "batch_size": 10}, 3 * 5),
        ({"samples_per_update": 5}, 3 * 1),
        ({"samples_per_update": 64}, 3 * 2),
        ({"samples_per_update": 500}, 3 * 3),
        ({"batch_size": 1000}, 3 * 1),
    ],
)
def test_how_much_an_update_does(settings: dict[str, int], steps: int) -> None:
    spec = spec_of(3)
    learner = cloning(spec, random_demonstrations(spec, 100), *network_of(spec), **settings)
    assert count_steps(learner) == steps


def test_samples_per_update_bounds_even_one_batch() -> None:
    spec = spec_of(3)
    learner = cloning(spec, random_demonstrations(spec, 100), *network_of(spec), samples_per_update=5)
    sizes = []
    loss = learner.loss

    def spy(sequences: NDArray[np.int64], memory: torch.Tensor | None = None) -> torch.Tensor:
        sizes.append(len(sequences))
        return loss(sequences, memory)

    learner.loss = spy  # type: ignore[method-assign]
    learner.update(0)
    assert sizes == [5, 5, 5]


def test_a_pass_meets_every_decision_once() -> None:
    spec = spec_of(3)
    learner = cloning(spec, random_demonstrations(spec, 40), *network_of(spec), batch_size=10)
    seen: list[NDArray[np.int64]] = []
    loss = learner.loss

    def spy(sequences: NDArray[np.int64], memory: torch.Tensor | None = None) -> torch.Tensor:
        seen.append(sequences)
        return loss(sequences, memory)

    learner.loss = spy  # type: ignore[method-assign]
    learner.update(0)
    for epoch in range(3):
        rows = np.concatenate(seen[4 * epoch : 4 * epoch + 4]).ravel()
        assert sorted(rows) == list(range(40))
        assert list(rows) != list(range(40))


def test_the_learning_rate_falls_with_the_steps_of_the_trainer() -> None:
    spec = spec_of(3)
    network, encoder = network_of(spec)
    learner = cloning(
        spec, random_demonstrations(spec), network, encoder, learning_rate=4e-3, strength=0.5, steps=100
    )
    assert learner.learning_rate(0) == pytest.approx(2e-3)
    assert learner.learning_rate(50) == pytest.approx(1e-3, rel=1e-4)
    assert learner.is_active(99)
    assert not learner.is_active(100)
    before = network.actor.state_dict()["layers.0.weight"].clone()
    assert learner.update(150) == {LOSS_TAG: 0.0}
    assert torch.equal(before, network.actor.state_dict()["layers.0.weight"])
    constant = cloning(spec, random_demonstrations(spec), network, encoder, learning_rate=4e-3)
    assert constant.learning_rate(10**9) == 4e-3


def test_a_restored_cloning_goes_on_bit_for_bit() -> None:
    spec = spec_of(3)
    parts = []
    for seed in (0, 1):
        network, encoder = network_of(spec, seed)
        parts.append(
            (network, cloning(spec, random_demonstrations(spec), network, encoder, seed=seed, batch_size=5))
        )
    (network, learner), (other_network, other) = parts
    learner.update(0)
    other_network.load_state_dict(network.state_dict())
    other.set_state(saved(learner))
    assert learner.update(1) == other.update(1)
    for mine, theirs in zip(network.parameters(), other_network.parameters(), strict=True):
        assert torch.equal(mine, theirs)
