"""The original's trainer side drives games made with our SDK."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import yaml

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry import EnvironmentOptions, make_environment

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parents[1] / "config" / "ppo" / "3DBall.yaml"
SEED = 11
STEPS = 2000


def test_it_receives_what_the_environment_gives_in_process(
    peer_python: Path, built_3dball: Path, tmp_path: Path
) -> None:
    out = tmp_path / "seen.npz"
    subprocess.run(
        [peer_python, HERE / "peer_drives.py", built_3dball, str(SEED), str(STEPS), "6105", out],
        check=True,
        timeout=300,
    )
    seen = np.load(out)
    env = make_environment("3DBall", EnvironmentOptions(seed=SEED))
    env.reset()
    name = str(seen["behavior"])
    spec = env.behavior_specs[name]
    assert tuple(seen["shape"]) == spec.observation_specs[0].shape
    assert int(seen["actions"][0]) == spec.action_spec.continuous_size

    rng = np.random.RandomState(SEED)
    episodes = 0
    for step in range(STEPS):
        decision, terminal = env.get_steps(name)
        for kind, batch in (("decision", decision), ("terminal", terminal)):
            np.testing.assert_array_equal(batch.obs[0], seen[f"{kind}_obs_{step}"], f"{kind} {step}")
            np.testing.assert_array_equal(batch.reward, seen[f"{kind}_reward_{step}"])
            np.testing.assert_array_equal(batch.agent_id, seen[f"{kind}_id_{step}"])
        np.testing.assert_array_equal(terminal.interrupted, seen[f"interrupted_{step}"])
        episodes += len(terminal)
        action = rng.uniform(-1.0, 1.0, (len(decision), 2)).astype(np.float32)
        env.set_actions(name, ActionTuple(action))
        env.step()
    assert episodes > 500


def test_it_trains_our_environment(peer_python: Path, built_3dball: Path, tmp_path: Path) -> None:
    settings = yaml.safe_load(CONFIG.read_text())
    settings["behaviors"]["3DBall"].update(max_steps=20_000, summary_freq=5000)
    settings["behaviors"]["3DBall"]["hyperparameters"]["buffer_size"] = 2000
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    options = ["--run-id=peer", "--base-port=6205", "--no-graphics", "--seed=1", "--torch-device=cpu"]
    done = subprocess.run(
        [peer_python, HERE / "peer_learn.py", "config.yaml", f"--env={built_3dball}", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    means = [float(m) for m in re.findall(r"Mean Reward: ([-\d.]+)\.", done.stdout)]
    assert len(means) >= 3, done.stdout[-3000:]
    assert means[-1] > means[0]
    assert (tmp_path / "results" / "peer" / "3DBall.onnx").is_file()
