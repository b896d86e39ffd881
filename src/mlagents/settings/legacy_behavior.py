"""The flat map of one behavior, as files before 0.17 had it, converted to nested settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlagents.settings.errors import TrainerConfigError
from mlagents.settings.yaml_file import Location
from mlagents_envs.near_names import nearest

_SHARED_HYPERPARAMETERS = ("batch_size", "buffer_size", "learning_rate", "learning_rate_schedule")
_PPO_HYPERPARAMETERS = ("beta", "epsilon", "lambd", "num_epoch")
_SAC_HYPERPARAMETERS = (
    "buffer_init_steps",
    "tau",
    "init_entcoef",
    "save_replay_buffer",
    "steps_per_update",
)
HYPERPARAMETERS = {
    "ppo": _SHARED_HYPERPARAMETERS + _PPO_HYPERPARAMETERS,
    "sac": _SHARED_HYPERPARAMETERS + _SAC_HYPERPARAMETERS,
}
"""Old flat keys that became hyperparameters, by trainer."""

_NETWORK = {
    "normalize": "normalize",
    "hidden_units": "hidden_units",
    "num_layers": "num_layers",
    "vis_encode_type": "vis_encode_type",
}
_UNCHANGED = (
    "max_steps",
    "time_horizon",
    "summary_freq",
    "keep_checkpoints",
    "threaded",
    "checkpoint_interval",
)
_UPDATE_RATIO = ("num_update", "train_interval")
_MEMORY = ("use_recurrent", "sequence_length", "memory_size")
_CURIOSITY = ("use_curiosity", "curiosity_strength", "curiosity_enc_size")
_DROPPED = ("summary_path", "model_path", "output_path", "burn_in_ratio", "vis_encoder_type")
_SIGNAL_RATIO = ("reward_signal_num_update", "reward_signal_steps_per_update")
_SELF_PLAY = {"play_against_current_self_ratio": "play_against_latest_model_ratio"}
_GONE_TRAINERS = frozenset({"offline_bc", "online_bc", "imitation"})

FLAT_KEYS = frozenset(
    (
        "trainer",
        "gamma",
        "pretraining",
        *_SHARED_HYPERPARAMETERS,
        *_PPO_HYPERPARAMETERS,
        *_SAC_HYPERPARAMETERS,
        *_NETWORK,
        *_UPDATE_RATIO,
        *_MEMORY,
        *_CURIOSITY,
        *_DROPPED,
    )
)
"""Keys that only stand directly below a behavior in an old file."""


class BehaviorConversion:
    """Converts one behavior.

    Args:
        path: name of the file, for messages.
        name: name of the behavior, for messages.
        target: where the behavior stands in the new configuration.
        source: where it stands in the old file.

    Attributes:
        notes: what the author of the file should know, one line each.
        moved: for each value whose place changed, where it came from.
    """

    def __init__(self, path: str, name: str, target: Location, source: Location) -> None:
        self._place = f"{path}: '{name}'"
        self._target = target
        self._source = source
        self._old: dict[str, Any] = {}
        self._new: dict[str, Any] = {}
        self._train_interval = 1.0
        self.notes: list[str] = []
        self.moved: dict[Location, Location] = {target: source}

    def convert(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """The behavior in the present schema.

        Keys that no version knew are carried over, so that validation reports them.

        Raises:
            TrainerConfigError: there is no trainer, or one that no longer exists.
        """
        self._old = {key: value for key, value in section.items() if value is not None}
        self._new = {}
        trainer = self._trainer()
        self._hyperparameters(trainer)
        for old, new in _NETWORK.items():
            self._move(old, "network_settings", new)
        self._memory()
        self._reward_signals(trainer)
        self._cloning()
        self._self_play()
        for key in _UNCHANGED:
            self._move(key, key)
        self._init_path()
        for key in _DROPPED:
            if self._old.pop(key, None) is not None:
                self._note(f"{key} has no meaning any more and is left out")
        for key, value in self._old.items():
            self._put(value, (key,), (key,))
        return self._new

    def _trainer(self) -> str:
        trainer = self._old.pop("trainer", None) or self._old.pop("trainer_type", None)
        if trainer is None:
            raise TrainerConfigError(f"{self._place} names no trainer; add 'trainer: ppo' or 'trainer: sac'")
        if trainer in _GONE_TRAINERS:
            raise TrainerConfigError(
                f"{self._place}: the trainer '{trainer}' no longer exists; imitate with the reward signal "
                "'gail' or with 'behavioral_cloning' (config/imitation has examples)"
            )
        self._put(trainer, ("trainer_type",), ("trainer",))
        return str(trainer)

    def _hyperparameters(self, trainer: str) -> None:
        known = HYPERPARAMETERS.get(trainer)
        if known is None:
            suggestion = nearest(trainer, HYPERPARAMETERS)
            hint = f"; did you mean '{suggestion}'?" if suggestion else ""
            raise TrainerConfigError(f"{self._place}: old files know no trainer '{trainer}'{hint}")
        if trainer == "sac":
            self._steps_per_update()
        for key in {**dict.fromkeys(known), **dict.fromkeys(sum(HYPERPARAMETERS.values(), ()))}:
            if key in known:
                self._move(key, "hyperparameters", key)
            elif self._old.pop(key, None) is not None:
                self._note(f"{key} means nothing to the trainer {trainer} and is left out")
        for key in _UPDATE_RATIO:
            if self._old.pop(key, None) is not None:
                self._note(f"{key} means nothing to the trainer {trainer} and is left out")
        if trainer == "ppo":  # the old trainer always let both decay, whatever the learning rate did
            self._put("linear", ("hyperparameters", "beta_schedule"), ())
            self._put("linear", ("hyperparameters", "epsilon_schedule"), ())

    def _steps_per_update(self) -> None:
        """Old: ``num_update`` updates every ``train_interval`` environment steps of all agents."""
        if "steps_per_update" in self._old or not any(key in self._old for key in _UPDATE_RATIO):
            return
        updates = self._number("num_update", 1.0)
        interval = self._number("train_interval", 1.0)
        self._train_interval = interval
        self._put(interval / updates, ("hyperparameters", "steps_per_update"), ("num_update",))
        self._note(
            f"num_update and train_interval became steps_per_update: {interval / updates:g}, which is right "
            "for one agent; multiply it by the number of agents"
        )

    def _number(self, key: str, default: float) -> float:
        value = self._old.pop(key, default)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = 0.0
        if number <= 0:
            raise TrainerConfigError(f"{self._place}: {key} is {value!r}; it must be a number above 0")
        return number

    def _memory(self) -> None:
        recurrent = str(self._old.pop("use_recurrent", False)).lower() in {"true", "yes", "on", "1"}
        length = self._old.pop("sequence_length", 64)
        size = self._old.pop("memory_size", 128)
        if recurrent:
            place = ("network_settings", "memory")
            self._put(length, (*place, "sequence_length"), ("sequence_length",))
            self._put(size, (*place, "memory_size"), ("memory_size",))

    def _reward_signals(self, trainer: str) -> None:
        raw = self._old.pop("reward_signals", None)
        signals = dict(raw) if isinstance(raw, Mapping) else {}
        if raw is not None and not isinstance(raw, Mapping):
            self._put(raw, ("reward_signals",), ("reward_signals",))  # reported by the validation
            return
        self._signal_ratio(signals, trainer)
        for name, signal in signals.items():
            for key, value in (signal or {}).items() if isinstance(signal, Mapping) else ():
                self._signal_value(str(name), str(key), value, ("reward_signals", name, key))
        if "gamma" in self._old:
            gamma = self._old.pop("gamma")
            if "extrinsic" not in signals:
                self._signal_value("extrinsic", "gamma", gamma, ("gamma",))
                self._signal_value("extrinsic", "strength", 1.0, ())
        self._old_curiosity(signals)

    def _signal_value(self, signal: str, key: str, value: object, source: Location) -> None:
        target = ("network_settings", "hidden_units") if key == "encoding_size" else (key,)
        self._put(value, ("reward_signals", signal, *target), source)

    def _old_curiosity(self, signals: Mapping[str, Any]) -> None:
        values = {key: self._old.pop(key) for key in _CURIOSITY if key in self._old}
        if str(values.get("use_curiosity", False)).lower() not in {"true", "yes", "on", "1"}:
            return
        if "curiosity" in signals:
            return
        if "extrinsic" not in self._new.get("reward_signals", {}):
            self._signal_value("extrinsic", "strength", 1.0, ())
        strength = values.get("curiosity_strength", 0.01)
        self._signal_value("curiosity", "strength", strength, ("curiosity_strength",))
        size = values.get("curiosity_enc_size", 128)
        self._signal_value("curiosity", "encoding_size", size, ("curiosity_enc_size",))

    def _signal_ratio(self, signals: dict[str, Any], trainer: str) -> None:
        """How often reward signals learn stood among them, although it is not one of them."""
        found = {key: signals.pop(key) for key in _SIGNAL_RATIO if key in signals}
        if trainer != "sac":
            for key in found:
                self._note(f"reward_signals.{key} means nothing to the trainer {trainer} and is left out")
            return
        place = ("hyperparameters", "reward_signal_steps_per_update")
        if "reward_signal_steps_per_update" in found:
            key = "reward_signal_steps_per_update"
            self._put(found[key], place, ("reward_signals", key))
        elif "reward_signal_num_update" in found:
            try:
                updates = float(found["reward_signal_num_update"])
            except (TypeError, ValueError):
                updates = 0.0
            if updates <= 0:
                raise TrainerConfigError(
                    f"{self._place}: reward_signal_num_update must be a number above 0"
                ) from None
            ratio = self._train_interval / updates
            self._put(ratio, place, ("reward_signals", "reward_signal_num_update"))
            self._note(
                f"reward_signal_num_update became reward_signal_steps_per_update: {ratio:g}, which is right "
                "for one agent; multiply it by the number of agents"
            )

    def _cloning(self) -> None:
        pretraining = self._old.pop("pretraining", None)
        cloning = self._old.pop("behavioral_cloning", None)
        source = "behavioral_cloning" if cloning is not None else "pretraining"
        settings = cloning if cloning is not None else pretraining
        if isinstance(settings, Mapping):
            for key, value in settings.items():
                if key != "init_path" and value is not None:
                    self._put(value, ("behavioral_cloning", key), (source, key))
        elif settings is not None:
            self._put(settings, ("behavioral_cloning",), (source,))

    def _self_play(self) -> None:
        settings = self._old.pop("self_play", None)
        if not isinstance(settings, Mapping):
            if settings is not None:
                self._put(settings, ("self_play",), ("self_play",))
            return
        for key, value in settings.items():
            new = _SELF_PLAY.get(str(key), str(key))
            self._put(value, ("self_play", new), ("self_play", str(key)))

    def _init_path(self) -> None:
        path = self._old.pop("init_path", None)
        if path is None:
            return
        text = str(path)
        if not text.endswith(".pt"):
            text = text.rstrip("/") + "/checkpoint.pt"
            self._note(f"init_path named a folder; it is {text} now")
        self._put(text, ("init_path",), ("init_path",))

    def _move(self, old: str, *new: str) -> None:
        if old in self._old:
            self._put(self._old.pop(old), new, (old,))

    def _put(self, value: object, new: Location, old: Location) -> None:
        *parents, last = new
        target = self._new
        for key in parents:
            target = target.setdefault(str(key), {})
        target[str(last)] = value
        for length in range(1, len(new) + 1):  # the maps around it point at the first value inside
            self.moved.setdefault((*self._target, *new[:length]), (*self._source, *old))

    def _note(self, text: str) -> None:
        self.notes.append(f"{self._place}: {text}")
