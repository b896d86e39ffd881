"""Run by the original's interpreter: values that a critic of its checkpoint gives.

usage: peer_values.py CHECKPOINT.pt SPECS.json OBSERVATIONS.npz OUT.npz

SPECS.json holds, for one behavior, shapes, dimension properties and observation types, the network settings
and the reward streams. The values of each stream are written under its name.
"""

import json
import sys

import cattr
import numpy as np
import torch
from mlagents.trainers.settings import NetworkSettings
from mlagents.trainers.torch_entities.networks import ValueNetwork
from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType


def main():
    checkpoint, description, observations, out = sys.argv[1:]
    with open(description) as file:
        described = json.load(file)
    specs = [
        ObservationSpec(tuple(shape), tuple(map(DimensionProperty, flags)), ObservationType(kind), "sensor")
        for shape, flags, kind in described["observations"]
    ]
    settings = cattr.structure(described["network_settings"], NetworkSettings)
    network = ValueNetwork(described["streams"], specs, settings)
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["Optimizer:critic"])
    network.eval()
    columns = np.load(observations)
    tensors = [torch.from_numpy(columns[f"obs_{index}"]) for index in range(len(specs))]
    rows = len(tensors[0])
    memory = None
    if settings.memory is not None:
        memory = torch.zeros(1, rows, settings.memory.memory_size)
    with torch.no_grad():
        values, _ = network(tensors, memories=memory, sequence_length=1)
    np.savez(out, **{name: value.reshape(rows).numpy() for name, value in values.items()})


if __name__ == "__main__":
    main()
