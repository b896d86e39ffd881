"""Our 3DBall against recordings and a policy of the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from replay_3dball import replay, table

from mlagents_envs.inference import OnnxPolicy
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.balance_ball import make_environment


@pytest.mark.parametrize(("name", "transitions"), [("Expert3DBall", 548), ("Recent3DBall", 2101)])
def test_recorded_decisions_are_predicted(shared_data: Path, name: str, transitions: int) -> None:
    errors = replay(shared_data / "demos" / f"{name}.demo")
    assert len(errors.position) == transitions
    assert np.median(errors.position) < 1e-5
    assert np.percentile(errors.position, 99) < 3e-4
    assert errors.position.max() < 3e-3
    assert np.median(errors.velocity) < 1e-4
    assert errors.rotation.max() < 1e-3
    assert f"| {name} | {transitions} | ball position, cm | 0.000" in table({name: errors})


def test_a_policy_trained_in_the_original_keeps_its_score(shared_data: Path) -> None:
    env = make_environment(EnvironmentOptions(seed=3, num_areas=50))
    env.reset()
    (behavior,) = env.behavior_specs
    policy = OnnxPolicy(shared_data / "models" / "3DBall.onnx", deterministic=True)
    pending = np.zeros(50)
    returns: list[float] = []
    while len(returns) < 100:
        decisions, terminals = env.get_steps(behavior)
        pending[terminals.agent_id] += terminals.reward
        returns += pending[terminals.agent_id].tolist()
        pending[terminals.agent_id] = 0.0
        pending[decisions.agent_id] += decisions.reward
        env.set_actions(behavior, policy.act(decisions, terminals))
        env.step()
    assert np.mean(returns) >= 99.0
