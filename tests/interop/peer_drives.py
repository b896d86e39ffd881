"""Run by the original's interpreter: its ``UnityEnvironment`` drives a game with random actions.

usage: peer_drives.py EXECUTABLE SEED STEPS BASE_PORT OUT.npz
"""

import sys

import numpy as np

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.environment import UnityEnvironment


def main(executable, seed, steps, base_port, out):
    rng = np.random.RandomState(int(seed))
    env = UnityEnvironment(file_name=executable, seed=int(seed), base_port=int(base_port), timeout_wait=60)
    columns = {}
    try:
        env.reset()
        name = next(iter(env.behavior_specs))
        spec = env.behavior_specs[name]
        columns["behavior"] = np.array(name)
        columns["shape"] = np.array(spec.observation_specs[0].shape)
        columns["actions"] = np.array([spec.action_spec.continuous_size])
        for step in range(int(steps)):
            decision, terminal = env.get_steps(name)
            for kind, batch in (("decision", decision), ("terminal", terminal)):
                columns[f"{kind}_obs_{step}"] = batch.obs[0]
                columns[f"{kind}_reward_{step}"] = batch.reward
                columns[f"{kind}_id_{step}"] = batch.agent_id
            columns[f"interrupted_{step}"] = terminal.interrupted
            action = rng.uniform(-1.0, 1.0, (len(decision), spec.action_spec.continuous_size))
            env.set_actions(name, ActionTuple(action.astype(np.float32)))
            env.step()
    finally:
        env.close()
    np.savez(out, **columns)


if __name__ == "__main__":
    main(*sys.argv[1:])
