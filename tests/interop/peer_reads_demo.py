"""Run by the original's interpreter: its loader reads a demonstration file.

usage: peer_reads_demo.py FILE.demo OUT.npz
"""

import sys

import numpy as np
from mlagents.trainers.buffer import BufferKey, ObservationKeyPrefix
from mlagents.trainers.demo_loader import demo_to_buffer, load_demonstration

from mlagents_envs.rpc_utils import steps_from_proto


def main(path, out):
    spec, pairs, expected = load_demonstration(path)
    columns = {
        "expected": np.array(expected),
        "records": np.array(len(pairs)),
        "continuous_size": np.array(spec.action_spec.continuous_size),
        "branches": np.array(spec.action_spec.discrete_branches),
        "shapes": np.array(str([tuple(observation.shape) for observation in spec.observation_specs])),
        "reward": np.array([pair.agent_info.reward for pair in pairs], np.float32),
        "done": np.array([pair.agent_info.done for pair in pairs]),
        "continuous": np.array([list(pair.action_info.continuous_actions) for pair in pairs]),
        "discrete": np.array([list(pair.action_info.discrete_actions) for pair in pairs]),
    }
    for index in range(len(spec.observation_specs)):
        rows = []
        for pair in pairs:
            decision, terminal = steps_from_proto([pair.agent_info], spec)
            rows.append((terminal if len(terminal) else decision).obs[index][0])
        columns[f"obs_{index}"] = np.array(rows)
    _, buffer = demo_to_buffer(path, 1, spec)
    columns["buffer_continuous"] = np.array(buffer[BufferKey.CONTINUOUS_ACTION])
    columns["buffer_done"] = np.array(buffer[BufferKey.DONE])
    columns["buffer_obs_0"] = np.array(buffer[(ObservationKeyPrefix.OBSERVATION, 0)])
    np.savez(out, **columns)


if __name__ == "__main__":
    main(*sys.argv[1:])
