"""Plays an exported model (``.onnx``) with ONNX Runtime: columns in, actions out.

The model may come from this toolkit or from the original; inputs and outputs have the same names. An
agent's memory, where the model is recurrent, lives here and is keyed by the id of the agent.

Typical use::

    policy = OnnxPolicy("3DBall.onnx", deterministic=True)
    policy.check(env.behavior_specs[name], name)
    decision_steps, terminal_steps = env.get_steps(name)
    env.set_actions(name, policy.act(decision_steps, terminal_steps))
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, AgentId, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityPolicyException
from mlagents_envs.inference_inputs import OPTIONAL_INPUTS, AgentMemories, OptionalInputs, input_type
from mlagents_envs.logging_util import get_logger
from mlagents_envs.near_names import near_names

logger = get_logger(__name__)

MODEL_VERSION = 3
"""Version of the names of inputs and outputs that this module plays."""
OLDEST_KNOWN_VERSION = 2
MAX_SEED = 2**31 - 1
_SEEDING = threading.Lock()
"""Held between setting the seed of the process and loading the model that it is for."""


class OnnxPolicy:
    """Policy of one behavior, read from a file.

    Args:
        path: the ``.onnx`` file.
        deterministic: take the most likely action instead of a sampled one. A model that does not
            offer it is played with sampled actions, after one warning.
        seed: seed of the sampling inside the model. ONNX Runtime has one seed per process, read when a
            model is loaded; it is set here, so models that others load later start from it too. Equal
            seeds give equal actions for equal calls; 0 to 2147483647.
        device: "cpu", or "cuda" for an NVIDIA GPU.

    Attributes:
        version: version of the model's layout.
        memory_size: floats of memory per agent, 0 without.
        observation_shapes: shape of each observation, without the batch axis; None for an axis of
            any size.
        continuous_size: number of continuous actions.
        discrete_branches: number of choices of each discrete branch.
        deterministic: whether actions are the most likely ones.

    Raises:
        ValueError: the seed is out of range.
        UnityPolicyException: the file is missing or no model, its version is not supported, inputs or
            outputs are missing, or the device is not there.
    """

    def __init__(
        self,
        path: str | Path,
        deterministic: bool = False,
        seed: int = 0,
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> None:
        if not 0 <= seed <= MAX_SEED:
            raise ValueError(f"seed is {seed}; it must be between 0 and {MAX_SEED}.")
        self.path = Path(path)
        self._session = _open_session(self.path, seed, device)
        inputs = {node.name: node.shape for node in self._session.get_inputs()}
        self._types = {node.name: input_type(node.type) for node in self._session.get_inputs()}
        outputs = {node.name for node in self._session.get_outputs()}
        constants = self._run_once(inputs, outputs)
        self.version = self._check_version(constants)
        self.observation_shapes = self._find_observations(inputs)
        self.memory_size = int(self._constant(constants, "memory_size")[0])
        self.continuous_size = 0
        self.discrete_branches: tuple[int, ...] = ()
        if "continuous_actions" in outputs:
            self.continuous_size = int(self._constant(constants, "continuous_action_output_shape")[0])
        if "discrete_actions" in outputs:
            sizes = self._constant(constants, "discrete_action_output_shape")
            self.discrete_branches = tuple(int(size) for size in sizes)
        self._check_parts(inputs, outputs)
        self._lacking = [name for name in self._action_outputs(deterministic=True) if name not in outputs]
        self._warned = False
        self.deterministic = deterministic and self._offers_deterministic()
        self._memories = AgentMemories(self.memory_size)
        optional = {name: kind for name, kind in self._types.items() if name in OPTIONAL_INPUTS}
        self._optional = OptionalInputs(optional, self.continuous_size, len(self.discrete_branches), seed)
        self._remembers = bool(self.memory_size) or "prev_action" in optional

    def check(self, behavior_spec: BehaviorSpec, behavior_name: str = "") -> None:
        """Compare the model with the behavior that it is to play.

        Args:
            behavior_spec: observations and actions of the behavior.
            behavior_name: name for the message.

        Raises:
            UnityPolicyException: they do not fit; the message lists every difference.
        """
        problems = _observation_differences(self.observation_shapes, behavior_spec)
        actions = behavior_spec.action_spec
        if self.continuous_size != actions.continuous_size:
            problems.append(
                f"continuous actions: {self.continuous_size} in the model, "
                f"{actions.continuous_size} in the behavior"
            )
        if self.discrete_branches != tuple(actions.discrete_branches):
            problems.append(
                f"discrete branches: {self.discrete_branches} in the model, "
                f"{tuple(actions.discrete_branches)} in the behavior"
            )
        if problems:
            name = f" {behavior_name}" if behavior_name else ""
            raise UnityPolicyException(
                f"The model {self.path} does not fit the behavior{name}: {'; '.join(problems)}."
            )

    def act(
        self,
        decision_steps: DecisionSteps,
        terminal_steps: TerminalSteps | None = None,
        *,
        deterministic: bool | None = None,
    ) -> ActionTuple:
        """Choose actions for all agents that ask for a decision, in one pass through the model.

        Args:
            decision_steps: the ``n`` agents that ask.
            terminal_steps: agents whose episode ended in the same step; their memory is dropped before
                anything else, so an agent in both starts its new episode without memory. Needed for
                recurrent models only.
            deterministic: whether to take the most likely actions this time; None means as set at first.

        Returns:
            Actions in the order of ``decision_steps``: continuous float32 ``(n, c)`` as the model gives
            them, discrete int32 ``(n, d)``.

        Raises:
            UnityPolicyException: the observations do not fit the model, or it gave NaN or infinite
                actions.
        """
        if self._remembers and terminal_steps is not None:
            self.forget(terminal_steps.agent_id.tolist())
        n = len(decision_steps)
        continuous: NDArray[Any] = np.zeros((n, self.continuous_size), dtype=np.float32)
        discrete: NDArray[Any] = np.zeros((n, len(self.discrete_branches)), dtype=np.int32)
        if n == 0:
            return ActionTuple(continuous, discrete)
        agent_ids: list[AgentId] = decision_steps.agent_id.tolist()
        feed = self._feed(decision_steps) | self._optional.feed(agent_ids)
        if self.memory_size:
            feed["recurrent_in"] = self._memories.read(agent_ids)[:, None, :]
        if deterministic is None:
            deterministic = self.deterministic
        fetch = self._action_outputs(deterministic=deterministic and self._offers_deterministic())
        results = iter(self._run([*fetch, *(["recurrent_out"] if self.memory_size else [])], feed))
        if self.continuous_size:
            continuous = next(results)
            if not np.isfinite(continuous).all():
                raise UnityPolicyException(f"The model {self.path} gave NaN or infinite actions.")
        if self.discrete_branches:
            discrete = next(results)
            self._optional.remember(agent_ids, discrete)
        if self.memory_size:
            self._memories.write(agent_ids, next(results).reshape(n, self.memory_size))
        return ActionTuple(continuous, discrete)

    def forget(self, agent_ids: Sequence[AgentId]) -> None:
        """Drop the memory of agents whose episode is over."""
        self._memories.drop(agent_ids)
        self._optional.drop(agent_ids)

    def reset(self) -> None:
        """Forget the memory of all agents; call it when the environment is reset."""
        self._memories.clear()
        self._optional.clear()

    def get_memories(self) -> dict[str, NDArray[Any]]:
        """Memories of all agents, for saving."""
        return self._memories.get_state()

    def set_memories(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put back the memories of :meth:`get_memories`."""
        self._memories.set_state(state)

    def _feed(self, decision_steps: DecisionSteps) -> dict[str, NDArray[Any]]:
        """Inputs of the model, all but the memory and the optional ones."""
        feed = {
            f"obs_{index}": np.ascontiguousarray(column, dtype=np.float32)
            for index, column in enumerate(decision_steps.obs)
        }
        if self.discrete_branches:
            masks = decision_steps.action_mask
            if masks is None:
                allowed = np.ones((len(decision_steps), sum(self.discrete_branches)), dtype=np.float32)
            else:  # columns say what is forbidden, the model wants what is allowed
                allowed = 1.0 - np.concatenate(masks, axis=1).astype(np.float32)
            feed["action_masks"] = allowed
        return feed

    def _run(self, fetch: list[str], feed: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            return list(self._session.run(fetch, feed))
        except Exception as error:  # ONNX Runtime has no common base class for its errors
            shapes = {name: array.shape for name, array in feed.items()}
            raise UnityPolicyException(
                f"The model {self.path} cannot be run on inputs of the shapes {shapes}: "
                f"{str(error).strip().rstrip('.')}. Compare it with the behavior by check()."
            ) from error

    def _find_observations(self, inputs: dict[str, list[Any]]) -> list[tuple[int | None, ...]]:
        """Shapes of ``obs_0``, ``obs_1``, …; refuses inputs that nobody could fill."""
        names = sorted(name for name in inputs if name.startswith("obs_"))
        expected = [f"obs_{index}" for index in range(len(names))]
        unknown = set(inputs) - set(expected) - {"action_masks", "recurrent_in"} - OPTIONAL_INPUTS
        if unknown or not names:
            problem = f"{sorted(unknown)} cannot be filled" if unknown else "there is no observation"
            raise UnityPolicyException(
                f"The model {self.path} has the inputs {sorted(inputs)}, but obs_0, obs_1, …, action_masks "
                f"and recurrent_in are expected; {problem}."
            )
        scalars = {"batch_size", "sequence_length"}
        fixed = [name for name, shape in inputs.items() if name not in scalars and isinstance(shape[0], int)]
        if fixed:
            raise UnityPolicyException(
                f"The model {self.path} fixes the number of agents in the inputs {fixed}. "
                "Export it with a first axis of any size."
            )
        return [
            tuple(size if isinstance(size, int) else None for size in inputs[name][1:]) for name in expected
        ]

    def _run_once(self, inputs: dict[str, list[Any]], outputs: set[str]) -> dict[str, NDArray[Any]]:
        """All outputs for one agent on zeros, which is also how the constants are read."""
        feed = {
            name: np.zeros([size if isinstance(size, int) else 1 for size in shape], self._types[name])
            for name, shape in inputs.items()
        }
        fetch = sorted(outputs)
        return dict(zip(fetch, self._run(fetch, feed), strict=True))

    def _constant(self, constants: dict[str, NDArray[Any]], name: str) -> list[float]:
        if name not in constants:
            raise UnityPolicyException(
                f"The model {self.path} lacks the output {name}; it was not exported for this purpose."
            )
        values: list[float] = constants[name].ravel().tolist()
        return values

    def _check_version(self, constants: dict[str, NDArray[Any]]) -> int:
        version = int(self._constant(constants, "version_number")[0])
        if version == MODEL_VERSION:
            return version
        known = f"{OLDEST_KNOWN_VERSION} to {MODEL_VERSION}"
        if version == OLDEST_KNOWN_VERSION:
            reason = "its layout with the single output 'action' is not played here"
        elif version < OLDEST_KNOWN_VERSION:
            reason = f"the trainer that made it was too old (known are {known})"
        else:
            reason = f"the trainer that made it is newer than this package (known are {known})"
        raise UnityPolicyException(
            f"The model {self.path} has version {version}, and {reason}. "
            f"Export it again with a trainer that writes version {MODEL_VERSION}."
        )

    def _check_parts(self, inputs: dict[str, list[Any]], outputs: set[str]) -> None:
        """Refuse a model whose inputs, outputs and constants contradict each other."""
        missing = []
        if not self.continuous_size and not self.discrete_branches:
            missing.append("an output continuous_actions or discrete_actions")
        if self.discrete_branches and "action_masks" not in inputs:
            missing.append("the input action_masks")
        if self.memory_size and "recurrent_in" not in inputs:
            missing.append("the input recurrent_in")
        if self.memory_size and "recurrent_out" not in outputs:
            missing.append("the output recurrent_out")
        if missing:
            raise UnityPolicyException(f"The model {self.path} lacks {' and '.join(missing)}.")

    def _action_outputs(self, *, deterministic: bool) -> list[str]:
        prefix = "deterministic_" if deterministic else ""
        names = [f"{prefix}continuous_actions"] if self.continuous_size else []
        return [*names, f"{prefix}discrete_actions"] if self.discrete_branches else names

    def _offers_deterministic(self) -> bool:
        if self._lacking and not self._warned:
            self._warned = True
            logger.warning(
                "The model %s has no output %s, so its actions are sampled although deterministic ones "
                "were asked for.",
                self.path,
                " and ".join(self._lacking),
            )
        return not self._lacking


def _open_session(path: Path, seed: int, device: str) -> onnxruntime.InferenceSession:
    """Load a model, for one thread where it runs on the CPU."""
    _check_file(path)
    provider = "CUDAExecutionProvider" if device == "cuda" else "CPUExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        raise UnityPolicyException(
            f"The model {path} cannot run on a GPU here: ONNX Runtime offers "
            f"{', '.join(onnxruntime.get_available_providers())}. Install onnxruntime-gpu in the place of "
            "onnxruntime, or let the model run on the CPU."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # models of the original declare the memory output for one agent only
    try:
        with _SEEDING:
            onnxruntime.set_seed(seed)
            return onnxruntime.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:  # ONNX Runtime has no common base class for its errors
        raise UnityPolicyException(
            f"{path} cannot be loaded as an ONNX model: {str(error).strip().rstrip('.')}. "
            "Check that it is the right file, or export it again."
        ) from error


def _check_file(path: Path) -> None:
    """Refuse what cannot be a model before ONNX Runtime does, in other words than its own."""
    if path.is_dir():
        models = ", ".join(map(str, sorted(path.glob("*.onnx"))[:3]))
        advice = f"name the model in it: {models}" if models else "name an .onnx file"
        raise UnityPolicyException(f"{path} is a folder; {advice}.")
    if not path.is_file():
        near = near_names(path.name, [each.name for each in path.parent.glob("*.onnx")])
        hint = f" Did you mean {path.parent / near[0]}?" if near else ""
        raise UnityPolicyException(f"There is no model file {path}.{hint}")
    if path.suffix == ".pt":
        raise UnityPolicyException(f"{path} is a checkpoint; name the .onnx file that was exported with it.")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise UnityPolicyException(f"The model file {path} cannot be opened: {error.strerror}.") from error


def _observation_differences(shapes: list[tuple[int | None, ...]], spec: BehaviorSpec) -> list[str]:
    """One sentence per observation that differs between the model and the behavior."""
    theirs = [tuple(observation.shape) for observation in spec.observation_specs]
    if len(shapes) != len(theirs):
        return [
            f"{len(shapes)} observations of the shapes {shapes} in the model, "
            f"{len(theirs)} of the shapes {theirs} in the behavior"
        ]
    problems = []
    for index, (ours, other) in enumerate(zip(shapes, theirs, strict=True)):
        fits = len(ours) == len(other) and all(
            size is None or size == wanted for size, wanted in zip(ours, other, strict=True)
        )
        if not fits:
            sensor = spec.observation_specs[index].name
            problems.append(
                f"observation {index}: {ours} in the model, {other} in the behavior (sensor {sensor!r})"
            )
    return problems
