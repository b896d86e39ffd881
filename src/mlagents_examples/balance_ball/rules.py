"""What the agents of 3DBall and its variants share: how they act, are rewarded, and play by themselves."""

from __future__ import annotations

from mlagents_examples.balance_ball.area import BalanceBallArea
from mlagents_sdk import ActionBuffers, Agent
from mlagents_sdk.input import Keyboard, horizontal, vertical

MAX_STEP = 5000
"""Physics steps after which an episode is interrupted."""

_STEP_REWARD = 0.1
_FAILURE_REWARD = -1.0


def tilt_and_judge(agent: Agent, area: BalanceBallArea, actions: ActionBuffers) -> None:
    """Tilt, and judge where the ball is.

    The reward is set, not added: however many steps a decision lasts, it earns 0.1, or -1 when
    the ball is lost.
    """
    around_z, around_x = actions.continuous_actions
    area.tilt(around_z, around_x)
    if area.ball_is_lost():
        agent.set_reward(_FAILURE_REWARD)
        agent.end_episode()
    else:
        agent.set_reward(_STEP_REWARD)


def tilt_by_keys(keyboard: Keyboard, actions_out: ActionBuffers) -> None:
    """Choose actions by W, A, S and D or the arrow keys: the platform goes down where they point."""
    actions_out.continuous_actions[:] = [-horizontal(keyboard), vertical(keyboard)]


def lean_against_ball(area: BalanceBallArea, actions_out: ActionBuffers) -> None:
    """Choose actions: the further out and the faster the ball is, the more tilt towards the centre."""
    z, x, ball_x, _, ball_z, velocity_x, _, velocity_z = area.observation()
    lean_z = min(max(0.06 * ball_x + 0.06 * velocity_x, -0.15), 0.15)
    lean_x = min(max(-0.06 * ball_z - 0.06 * velocity_z, -0.15), 0.15)
    actions_out.continuous_actions[0] = 8.0 * (lean_z - z)
    actions_out.continuous_actions[1] = 8.0 * (lean_x - x)
