"""Run by the original's interpreter: values that the critics of its checkpoints give.

usage: peer_values.py RESULTS SPECS.json OBSERVATIONS.npz OUT.npz

SPECS.json holds, for each behavior, shapes, dimension properties and observation types, the network settings
and the reward streams. Observations are named ``Behavior/0`` and so on; the values of each stream are written
under ``Behavior/stream``.
"""

import json
import os
import sys

import cattr
import numpy as np
import torch
from mlagents.trainers.settings import NetworkSettings
from mlagents.trainers.torch_entities.networks import ValueNetwork

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType


def evaluate(checkpoint, described, columns):
    """Values of each stream ``[n]`` for observations ``[n, *shape]``."""
    specs = [
        ObservationSpec(tuple(shape), tuple(map(DimensionProperty, flags)), ObservationType(kind), "sensor")
        for shape, flags, kind in described["observations"]
    ]
    settings = cattr.structure(described["network_settings"], NetworkSettings)
    network = ValueNetwork(described["streams"], specs, settings)
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["Optimizer:critic"])
    network.eval()
    tensors = [torch.from_numpy(column) for column in columns]
    rows = len(tensors[0])
    memory = None
    if settings.memory is not None:
        memory = torch.zeros(1, rows, settings.memory.memory_size)
    with torch.no_grad():
        values, _ = network(tensors, memories=memory, sequence_length=1)
    return {stream: value.reshape(rows).numpy() for stream, value in values.items()}


def main():
    results, descriptions, observations, out = sys.argv[1:]
    with open(descriptions) as file:
        described = json.load(file)
    seen = np.load(observations)
    found = {}
    for name, behavior in described.items():
        columns = [seen[f"{name}/{index}"] for index in range(len(behavior["observations"]))]
        checkpoint = os.path.join(results, name, "checkpoint.pt")
        for stream, values in evaluate(checkpoint, behavior, columns).items():
            found[f"{name}/{stream}"] = values
    np.savez(out, **found)


if __name__ == "__main__":
    main()
