"""Settings of learned reward signals: old keys, what is refused, and which class makes which signal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from imitation_helpers import record, spec_of, write_recording
from settings_helpers import behavior, error_of, load

from mlagents.rewards.curiosity import Curiosity
from mlagents.rewards.curiosity_settings import CuriositySettings
from mlagents.rewards.extrinsic import ExtrinsicSettings
from mlagents.rewards.gail import GAIL
from mlagents.rewards.gail_settings import GAILSettings
from mlagents.rewards.registry import make_signal
from mlagents.rewards.rnd import RND
from mlagents.rewards.rnd_settings import RNDSettings
from mlagents.settings import TrainerConfigWarning
from mlagents.settings.base import Settings
from mlagents.settings.registry import REWARD_SIGNAL_SETTINGS
from mlagents_envs.demonstrations import DemonstrationError


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def signal_of(text: str) -> Settings:
    (signal,) = load(behavior(f"reward_signals: {{{text}}}")).behavior("A").reward_signals.values()
    return signal


def test_defaults() -> None:
    curiosity, rnd, gail = (
        signal_of(text) for text in ("curiosity: {}", "rnd: {}", "gail: {demo_path: x.demo}")
    )
    assert isinstance(curiosity, CuriositySettings)
    assert isinstance(rnd, RNDSettings)
    assert isinstance(gail, GAILSettings)
    assert (curiosity.learning_rate, rnd.learning_rate, gail.learning_rate) == (3e-4, 1e-4, 3e-4)
    assert (curiosity.gamma, curiosity.strength) == (0.99, 1.0)
    assert (gail.use_actions, gail.use_vail) == (False, False)


def test_encoding_size_becomes_the_width_of_the_network() -> None:
    with pytest.warns(TrainerConfigWarning, match="encoding_size .* is deprecated"):
        signal = signal_of("curiosity: {encoding_size: 64}")
    assert isinstance(signal, CuriositySettings)
    assert signal.network_settings.hidden_units == 64


def test_encoding_size_yields_to_network_settings() -> None:
    with pytest.warns(TrainerConfigWarning, match="encoding_size .* is ignored"):
        signal = signal_of("rnd: {encoding_size: 64, network_settings: {hidden_units: 32}}")
    assert isinstance(signal, RNDSettings)
    assert signal.network_settings.hidden_units == 32


def test_memory_of_a_signal_is_ignored() -> None:
    with pytest.warns(TrainerConfigWarning, match="memory .* is ignored"):
        signal = signal_of("rnd: {network_settings: {memory: {}}}")
    assert isinstance(signal, RNDSettings)
    assert signal.network_settings.memory is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gail: {}", "reward_signals.gail.demo_path: this key is missing"),
        ("curiosity: {strenght: 1}", "did you mean 'strength'?"),
        ("gail: {demo_path: x, reward_form: log}", "it must be one of log_odds, survival"),
        ("gail: {demo_path: x, demo_alignment: late}", "it must be one of auto, aligned, lagged"),
        ("curiosity: {strength: -1}", "reward_signals.curiosity.strength is -1"),
        ("rnd: {encoding_size: wide}", "reward_signals.rnd.network_settings.hidden_units"),
    ],
)
@pytest.mark.filterwarnings("ignore::mlagents.settings.TrainerConfigWarning")
def test_mistakes_are_one_line(text: str, words: str) -> None:
    message = error_of(behavior(f"reward_signals: {{{text}}}"))
    assert words in message
    assert len(message.splitlines()) == 1


def test_settings_are_read_without_torch() -> None:
    code = "import sys, mlagents.settings; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_registered_signal_is_made_and_draws_its_own_weights(tmp_path: Path) -> None:
    spec = spec_of(3)
    demo = tmp_path / "expert.demo"
    actions = ([0.5, 0.5], [1, 0])
    write_recording(demo, spec, [record(spec, 1, actions=actions), record(spec, 2, done=True)], ours=True)
    classes = {"curiosity": Curiosity, "rnd": RND, "gail": GAIL}
    assert {"extrinsic", *classes} == set(REWARD_SIGNAL_SETTINGS)
    for name, kind in classes.items():
        raw = {"demo_path": str(demo)} if name == "gail" else {}
        settings = REWARD_SIGNAL_SETTINGS[name].model_validate(raw)
        signal = make_signal(name, settings, spec, "Ball", "cpu", 3)
        assert isinstance(signal, kind)
        assert signal.name == name
        again = make_signal(name, settings, spec, "Ball", "cpu", 3)
        other = make_signal(name, settings, spec, "Ball", "cpu", 4)
        weights = [next(iter(each.get_state()["modules"].values())) for each in (signal, again, other)]
        key = next(key for key in weights[0] if key.endswith("weight"))
        assert torch.equal(weights[0][key], weights[1][key])
        assert not torch.equal(weights[0][key], weights[2][key])


def test_a_missing_demonstration_names_file_and_behavior(tmp_path: Path) -> None:
    settings = GAILSettings(demo_path=str(tmp_path / "gone.demo"))
    with pytest.raises(DemonstrationError, match=r"gone\.demo.*behavior Ball") as caught:
        make_signal("gail", settings, spec_of(3), "Ball", "cpu", 0)
    assert len(str(caught.value).splitlines()) == 1


def test_the_reward_of_the_environment_is_not_learned() -> None:
    with pytest.raises(ValueError, match="no learned reward signal 'extrinsic'"):
        make_signal("extrinsic", ExtrinsicSettings(), spec_of(3), "Ball", "cpu", 0)
