"""What goes wrong between an environment, its files and a run: named clearly, and nothing is lost."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_run_robustness import options, train
from toy_envs import DriftEnv
from trainer_helpers import behavior_settings, behavior_spec, decision_steps, step_batch, terminal_steps

from mlagents.algorithms.registry import make_trainer
from mlagents.cli.errors import run_command
from mlagents.hub.transfer import explaining
from mlagents.monitoring.stats import StatsHub, StatsWriter
from mlagents.rewards.curiosity_settings import CuriositySettings
from mlagents.rewards.registry import make_signal
from mlagents.run import results_folder
from mlagents.run.results_folder import ResultsFolder
from mlagents.run.training_run import TrainingRun
from mlagents.sampling.step_checks import branch_without_actions, check_shapes
from mlagents.settings import TrainerError, UnityTrainerException
from mlagents.settings.errors import EnvironmentFailure
from mlagents_envs.base_env import ActionSpec, DecisionSteps, TerminalSteps
from mlagents_envs.exception import EnvironmentWarning, UnityObservationException

# Steps that are not what was declared


def _grow(steps: DecisionSteps) -> None:
    steps.obs[0] = np.zeros((len(steps), 4), dtype=np.float32)


def _drop(steps: DecisionSteps) -> None:
    steps.obs.clear()


def _shorten(steps: DecisionSteps) -> None:
    steps.reward = steps.reward[:1]


class _ChangingEnv(DriftEnv):
    """Spoils its steps from the hundredth on."""

    def __init__(self, spoil: Callable[[DecisionSteps], None], action_spec: ActionSpec | None = None) -> None:
        super().__init__(action_spec=action_spec)
        self._spoil = spoil
        self._ticks = 0

    def step(self) -> None:
        super().step()
        self._ticks += 1
        if self._ticks >= 100:
            self._spoil(self._steps[0])


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_grow, r"sensor 'state' must have the shape \(6, 3\), but has \(6, 4\)"),
        (_drop, r"the list of observations must have the shape \(1,\), but has \(0,\)"),
        (_shorten, r"reward must have the shape \(6,\), but has \(1,\)"),
    ],
)
@pytest.mark.parametrize("trainer", ["ppo", "sac"])
def test_environment_whose_sizes_change(
    tmp_path: Path, trainer: str, spoil: Callable[[DecisionSteps], None], problem: str
) -> None:
    with pytest.raises(UnityObservationException, match=rf"^Environment 0 .* behavior Drift .*{problem}"):
        train(tmp_path, _ChangingEnv(spoil), settings={"trainer_type": trainer})
    run = TrainingRun(
        options(tmp_path, settings={"trainer_type": trainer}, checkpoint={"resume": True}),
        environment=DriftEnv(),
    )
    steps: list[int] = []

    def begin(r: TrainingRun) -> None:
        steps.append(r.behaviors["Drift"].trainer.step)
        r.stop()

    run._on_begin = begin
    run.run()
    assert steps == [99 * 6]


SPEC = behavior_spec(ActionSpec.create_discrete((3, 2)), sizes=(2,))


def _decisions(**changes: Any) -> DecisionSteps:  # noqa: ANN401
    masks = [np.zeros((2, 3), dtype=bool), np.zeros((2, 2), dtype=bool)]
    steps = decision_steps([4, 7], [np.zeros((2, 2), dtype=np.float32)], masks=masks)
    for name, value in changes.items():
        setattr(steps, name, value)
    return steps


def test_shapes_that_fit() -> None:
    check_shapes("Ball", SPEC, step_batch(_decisions(), terminal_steps([4], [np.zeros((1, 2), np.float32)])))
    check_shapes("Ball", SPEC, step_batch())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"obs": [np.zeros((1, 2))]}, r"sensor 'first'.*\(2, 2\), but has \(1, 2\)"),
        ({"group_id": np.zeros(3, np.int32)}, r"group_id must have the shape \(2,\)"),
        ({"group_reward": np.zeros((2, 1), np.float32)}, r"group_reward must.*has \(2, 1\)"),
        ({"action_mask": [np.zeros((2, 3), dtype=bool)]}, r"the action mask must.*\(2, 3\), \(2, 2\)"),
    ],
)
def test_shapes_that_do_not_fit(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(UnityObservationException, match=problem):
        check_shapes("Ball", SPEC, step_batch(_decisions(**changes)))


def test_ends_of_episodes_that_do_not_fit() -> None:
    steps = terminal_steps([4], [np.zeros((1, 2), np.float32)])
    steps.interrupted = np.zeros(2, dtype=bool)
    with pytest.raises(UnityObservationException, match=r"interrupted must have the shape \(1,\)"):
        check_shapes("Ball", SPEC, step_batch(terminal=steps))
    steps = TerminalSteps.empty(SPEC)
    steps.obs = []
    check_shapes("Ball", SPEC, step_batch(terminal=steps))  # nobody ended, so nothing is read


def test_masks_without_a_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = _decisions()
    assert branch_without_actions(step_batch(steps)) is None
    assert steps.action_mask is not None
    steps.action_mask[1][1] = True
    found = branch_without_actions(step_batch(steps))
    assert found is not None
    assert found[0] == 1
    assert "agent 7" in found[1]

    def forbid(steps: DecisionSteps) -> None:
        assert steps.action_mask is not None
        steps.action_mask[0][3] = True

    env = _ChangingEnv(forbid, ActionSpec.create_discrete((3,)))
    assert train(tmp_path, env).steps["Drift"] >= 1000  # it goes on
    assert capsys.readouterr().out.count("all actions of branch 0 are masked for agent 3") == 1


def test_branch_without_actions_at_all() -> None:
    spec = behavior_spec(ActionSpec.create_discrete((3, 0)))
    with pytest.raises(TrainerError, match=r"Ball has the discrete branches \(3, 0\)"):
        make_trainer("Ball", spec, behavior_settings(), seed=0)


def test_image_too_small_for_the_encoder_of_a_reward_signal() -> None:
    spec = behavior_spec(sizes=((3, 8, 8),))
    with pytest.raises(TrainerError, match=r"behavior Ball, reward signal curiosity: .*height 8 and width 8"):
        make_signal("curiosity", CuriositySettings(), spec, "Ball", "cpu", 0)


@pytest.mark.parametrize(
    ("cause", "text"),
    [(StopIteration(), "to step: StopIteration. The"), (ValueError("too far."), "ValueError: too far. The")],
)
def test_failures_read_well(cause: Exception, text: str) -> None:
    assert text in str(EnvironmentFailure("Ball", "step", cause))


def test_warnings_about_environments_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> int:
        warnings.warn("two sensors", EnvironmentWarning, stacklevel=1)
        return 0

    assert run_command(body) == 0
    assert capsys.readouterr().err == "warning: two sensors\n"


# Checkpoints


def test_resuming_with_other_normalisation(tmp_path: Path) -> None:
    train(tmp_path)
    other = {"network_settings": {"normalize": False, "hidden_units": 16}}
    with pytest.raises(
        UnityTrainerException,
        match=r"Drift \(it was trained with network_settings.normalize\).*reward signals",
    ):
        train(tmp_path, settings=other, checkpoint={"resume": True})
    train(tmp_path / "b", settings=other)
    with pytest.raises(UnityTrainerException, match=r"it was trained without network_settings\.normalize"):
        train(tmp_path / "b", checkpoint={"resume": True})


def test_weights_for_other_observations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path)
    path = tmp_path / "r" / "Drift" / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    state["Policy"]["normalizers"][0] = {
        **state["Policy"]["normalizers"][0],
        "mean": torch.zeros(5, dtype=torch.float64),
        "sum_of_squares": torch.ones(5, dtype=torch.float64),
    }
    state["Policy"]["actor"] = {}
    torch.save(state, tmp_path / "other.pt")
    capsys.readouterr()
    train(tmp_path, checkpoint={"run_id": "new"}, settings={"init_path": str(tmp_path / "other.pt")})
    out = capsys.readouterr().out
    assert "fresh normalizer: it normalises vectors of the sizes [5], and here they are [3]" in out
    assert "does not start from the policy in" in out
    assert "starts from the weights" not in out


def test_checkpoint_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tmp_path)
    real = Path.open

    def refuse(path: Path, *arguments: Any, **others: Any) -> Any:  # noqa: ANN401
        if path.name == "checkpoint.pt":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *arguments, **others)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnityTrainerException, match=r"checkpoint\.pt cannot be opened: Permission denied"):
        train(tmp_path, checkpoint={"resume": True})


def test_damaged_weights_are_not_told_to_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "bad.pt").write_bytes(b"junk")
    with pytest.raises(UnityTrainerException, match=r"bad\.pt cannot be read.*Check --initialize-from"):
        train(tmp_path, settings={"init_path": str(tmp_path / "bad.pt")})


# Results and other places


def test_full_disk_at_the_start_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(results_folder, "RunLock", full)
    with pytest.raises(UnityTrainerException, match=r"No space left.*make room there"):
        train(tmp_path)
    assert not (tmp_path / "r").exists()
    monkeypatch.undo()
    train(tmp_path)  # without --force


def test_behavior_names_fit_file_systems(tmp_path: Path) -> None:
    folder = ResultsFolder(str(tmp_path), "r")
    folder.check_behavior_name("x" * 200)
    with pytest.raises(UnityTrainerException, match="too long for the name of a folder"):
        folder.check_behavior_name("x" * 201)


def test_writer_that_fails_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    class Full(StatsWriter):
        def write_stats(self, category: str, values: object, step: int) -> None:
            """Take them."""

        def close(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    hub = StatsHub()
    hub.add_writer(Full())
    hub.close()
    assert "Full could not take the end of the run: [Errno 28]" in capsys.readouterr().out


def test_no_connection_in_the_words_of_any_library() -> None:
    kind = type("ConnectError", (Exception,), {"__module__": "httpx2._exceptions"})
    with pytest.raises(UnityTrainerException, match="me/ball could not be transferred: no route"):  # noqa: SIM117
        with explaining("me/ball"):
            raise kind("no route")
    with pytest.raises(KeyError), explaining("me/ball"):  # a bug of ours stays one
        raise KeyError("x")
