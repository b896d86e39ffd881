"""Finds out to which observation the recorded actions belong.

Recorders differ. The current one of the original stores with each observation the action taken *before* it
("lagged"); earlier ones and ours store the action taken *on* it ("aligned"). Files of both kinds have the
same version. Imitating the wrong action teaches a policy to act one decision late, or to repeat itself.

Four kinds of evidence are asked, the surest first:

1. the recorder says it (ours does);
2. the last record has no action: early recorders wrote a record when its action was known, so that the last
   one lacks it. Aligned;
3. the action right after the end of an episode is zero, clearly more often than elsewhere: there was no
   action before. Lagged;
4. the observations: which of the two actions explains better how an observation becomes the next one
   (:func:`observed_evidence`).

If none decides, the file counts as aligned, with a warning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.demonstration_data import Alignment, Demonstration
from mlagents_envs.logging_util import get_logger

logger = get_logger(__name__)

AlignmentChoice = Literal["auto", "aligned", "lagged"]
"""What a user may say about a file: how it is, or that it be found out."""

CLEAR_EVIDENCE = 3.0
"""Standard errors by which one explanation has to beat the other."""

_FEWEST_TRANSITIONS = 25
_MOST_TRANSITIONS = 1500  # a kernel matrix of that many rows is inverted in about a second
_MOST_OUTPUTS = 128
_RIDGE = 0.3


@dataclass(frozen=True, slots=True)
class AlignmentFinding:
    """How the actions of a recording lie, and why it is thought so.

    Attributes:
        alignment: "aligned" when a record holds the action taken on its observation, "lagged" when it
            holds the one before.
        reason: the evidence, as a part of a sentence.
        is_certain: False when nothing in the file decides.
        done_opens_episode: True when the record of an episode's end already holds the first observation
            of the next one, and its first action, as in aligned files of early recorders.
    """

    alignment: Alignment
    reason: str
    is_certain: bool
    done_opens_episode: bool


class Transitions(NamedTuple):
    """Row numbers of the decisions of a recording from which to learn; ``n`` of them, in order.

    A decision was taken on the observations of ``observed``, led to the observations, reward and done flag
    of ``observed + 1``, and its action is in row ``acted``.

    Attributes:
        observed: intp ``[n]``.
        acted: intp ``[n]``.
    """

    observed: NDArray[np.intp]
    acted: NDArray[np.intp]


def action_alignment(demo: Demonstration, choice: AlignmentChoice = "auto") -> Alignment:
    """Whether the action of a row belongs to the observation of that row or of the row before.

    Args:
        demo: the recording.
        choice: "auto" to find out, else the answer.

    Raises:
        ValueError: the choice is none of the three.
    """
    return find_alignment(demo, choice).alignment


def find_alignment(demo: Demonstration, choice: AlignmentChoice = "auto") -> AlignmentFinding:
    """The same as :func:`action_alignment`, with the reason; both are logged.

    Raises:
        ValueError: the choice is none of the three.
    """
    finding = judge_alignment(demo, choice)
    log = logger.info if finding.is_certain else logger.warning
    log(
        "%s: a record's action is taken as the one %s its observation, because %s.",
        demo.path.name,
        "taken on" if finding.alignment == "aligned" else "before",
        finding.reason,
    )
    return finding


def judge_alignment(demo: Demonstration, choice: AlignmentChoice = "auto") -> AlignmentFinding:
    """The same as :func:`find_alignment`, without a log.

    Raises:
        ValueError: the choice is none of the three.
    """
    if choice not in ("auto", "aligned", "lagged"):
        raise ValueError(f"The alignment {choice!r} is unknown; it must be 'auto', 'aligned' or 'lagged'.")
    if choice == "auto":
        alignment, reason, is_certain = _judge(demo)
    else:
        alignment, reason, is_certain = choice, "this was asked for", True
    return AlignmentFinding(alignment, reason, is_certain, alignment == "aligned" and _done_opens(demo))


def transitions(demo: Demonstration, finding: AlignmentFinding) -> Transitions:
    """The decisions of a recording whose observation, action and outcome are all recorded.

    Observations at the end of an episode begin none, except where that record opens the next episode. The
    last record begins none, as its outcome is not recorded.
    """
    keep = np.ones(len(demo) - 1, np.bool_)
    if not finding.done_opens_episode:
        keep = ~demo.done[:-1]
    keep &= demo.agent_id[1:] == demo.agent_id[:-1]
    observed = np.flatnonzero(keep)
    acted = observed + (finding.alignment == "lagged")
    recorded = demo.has_action[acted]
    return Transitions(observed[recorded], acted[recorded])


def observed_evidence(demo: Demonstration) -> float:
    """How much better the action of the *next* record explains the changes of the observations.

    For up to 1500 pairs of successive records within an episode, the change of the observations is
    predicted by kernel ridge regression, once from the observations and the action of the first record,
    once from them and the action of the second. The kernel is ``k_obs * (1 + k_action)``, so an action may
    act differently in different places. Errors are those of leaving each pair out, in closed form (Hastie,
    Tibshirani, Friedman, The Elements of Statistical Learning, eq. 7.64).

    An action that its observation determines exactly explains nothing more, and the action after it may
    then give away what the observation hides: the evidence is for people and sampled policies rather than
    for scripts.

    Returns:
        The mean difference of the squared errors in standard errors; positive speaks for "lagged", negative
        for "aligned", 0.0 where there are too few pairs or nothing varies.
    """
    same_episode = ~demo.done[:-1] & ~demo.done[1:] & (demo.agent_id[1:] == demo.agent_id[:-1])
    rows = np.flatnonzero(same_episode & demo.has_action[:-1] & demo.has_action[1:])
    if len(rows) < _FEWEST_TRANSITIONS:
        return 0.0
    if len(rows) > _MOST_TRANSITIONS:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST_TRANSITIONS).astype(np.intp)]
    before, after = (_standardized_observations(demo, rows + shift) for shift in (0, 1))
    change = after - before
    if not change.size or np.allclose(change.std(axis=0), 0.0):
        return 0.0
    if change.shape[1] > _MOST_OUTPUTS:
        projection = np.random.default_rng(0).standard_normal((change.shape[1], _MOST_OUTPUTS))
        change = change @ (projection / np.sqrt(change.shape[1])).astype(np.float32)
    change = (change - change.mean(axis=0)).astype(np.float64)
    distances = _squared_distances(before)
    positive = distances[distances > 1e-9]
    kernel = 1.0 + np.exp(-2.0 * distances / (np.median(positive) if len(positive) else 1.0))
    actions = _action_features(demo)
    errors = []
    for shift in (0, 1):
        action_kernel = np.exp(-0.5 * _squared_distances(actions[rows + shift]))
        errors.append(_left_out_errors(kernel * (1.0 + action_kernel), change))
    difference = errors[0] - errors[1]
    spread = float(difference.std())
    if spread <= 1e-12 * float(errors[0].mean() + errors[1].mean()):
        return 0.0
    return float(difference.mean()) / spread * float(np.sqrt(len(difference)))


def _judge(demo: Demonstration) -> tuple[Alignment, str, bool]:
    """Alignment, reason, and whether anything decided."""
    if demo.stated_alignment is not None:
        return demo.stated_alignment, "the recorder says so", True
    if not demo.has_action[-1]:
        return "aligned", "the last record has no action", True
    zero = (_actions(demo) == 0).all(axis=1)
    starts = np.flatnonzero(demo.done[:-1]) + 1
    if len(starts) and _clearly_zero(zero, starts):
        share = round(100 * float(zero[starts].mean()))
        return "lagged", f"{share} % of the actions after the ends of episodes are zero", True
    evidence = observed_evidence(demo)
    if abs(evidence) >= CLEAR_EVIDENCE:
        which, other = ("next record's", "same") if evidence > 0 else ("same record's", "next")
        reason = (
            f"the {which} action explains the changes of the observations better than the {other} one's "
            f"({abs(evidence):.1f} standard errors)"
        )
        return ("lagged" if evidence > 0 else "aligned"), reason, True
    if not len(starts) and _clearly_zero(zero, np.zeros(1, np.intp)):
        return "lagged", "the first action is zero, which is weak evidence", False
    return "aligned", "nothing in the file says otherwise", False


def _clearly_zero(zero: NDArray[np.bool_], starts: NDArray[np.intp]) -> bool:
    """Whether zeros at ``starts`` are at least half of the way from their usual share to all."""
    elsewhere = np.delete(zero, starts)
    usual_share = float(elsewhere.mean()) if len(elsewhere) else 0.0
    return usual_share < 1.0 and float(zero[starts].mean()) >= (1.0 + usual_share) / 2.0


def _done_opens(demo: Demonstration) -> bool:
    """Whether ends of episodes already show the next one, given that the file is aligned.

    Recorders that give each episode an agent id of its own, and ours, do not do that.
    """
    if demo.stated_alignment is not None:
        return False
    ends = np.flatnonzero(demo.done[:-1])
    return not len(ends) or bool((demo.agent_id[ends] == demo.agent_id[ends + 1]).any())


def _actions(demo: Demonstration) -> NDArray[np.float32]:
    """Continuous, then discrete actions, float32 ``[T, c + d]``."""
    return np.concatenate([demo.continuous_actions, demo.discrete_actions], axis=1, dtype=np.float32)


def _action_features(demo: Demonstration) -> NDArray[np.float32]:
    """Actions of which distances mean something: standardized, or one-hot; float32 ``[T, f]``."""
    continuous = np.clip(demo.continuous_actions, -1.0, 1.0)  # as environments of the original do
    columns = [continuous / np.maximum(continuous.std(axis=0), 1e-6)]
    for branch, size in enumerate(demo.behavior_spec.action_spec.discrete_branches):
        columns.append(np.eye(size, dtype=np.float32)[demo.discrete_actions[:, branch]])
    return np.concatenate(columns, axis=1, dtype=np.float32)


def _standardized_observations(demo: Demonstration, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """All observations of these rows, each number standardized over the file; float32 ``[n, f]``."""
    columns = []
    for column in demo.obs:
        flat = column.reshape(len(demo), -1)
        spread = flat.std(axis=0)
        varies = spread > 1e-6
        columns.append((flat[rows][:, varies] - flat.mean(axis=0)[varies]) / spread[varies])
    return np.concatenate(columns, axis=1, dtype=np.float32)


def _squared_distances(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Squared Euclidean distances of all pairs of ``points`` ``[n, f]``; float64 ``[n, n]``."""
    norms = np.einsum("nf,nf->n", points, points, dtype=np.float64)
    distances: NDArray[np.float64] = np.maximum(
        norms[:, None] + norms - 2.0 * (points @ points.T).astype(np.float64), 0.0
    )
    return distances


def _left_out_errors(kernel: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean squared error of each row when it is predicted from all others; float64 ``[n]``."""
    inverse = np.linalg.inv(kernel + _RIDGE * np.eye(len(kernel)))
    residuals = (inverse @ targets) / np.diag(inverse)[:, None]
    errors: NDArray[np.float64] = (residuals**2).mean(axis=1)
    return errors
