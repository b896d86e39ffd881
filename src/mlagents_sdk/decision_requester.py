"""Asks for decisions in a fixed rhythm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlagents_sdk.agent import Agent

MAX_DECISION_PERIOD = 20


@dataclass(frozen=True, slots=True)
class DecisionRequestContext:
    """What a requester may base its choice on.

    Attributes:
        academy_step_count: steps since the last environment reset, this one not yet counted.
    """

    academy_step_count: int


class DecisionRequester:
    """Requests a decision of an agent every few steps, and perhaps an action at every step.

    The rhythm follows the academy's step count, which starts anew at an environment reset and not
    with the agent's episodes. Subclasses may override :meth:`should_request_decision` and
    :meth:`should_request_action`.

    Args:
        agent: agent for which to ask.
        decision_period: steps between decisions, 1-20.
        decision_step: which step of each period decides, 0 to ``decision_period - 1``; different
            values stagger agents.
        take_actions_between_decisions: whether the last action is repeated in the steps between.

    Raises:
        ValueError: a number is outside its range.
    """

    def __init__(
        self,
        agent: Agent,
        decision_period: int = 5,
        decision_step: int = 0,
        take_actions_between_decisions: bool = True,
    ) -> None:
        if not 1 <= decision_period <= MAX_DECISION_PERIOD:
            raise ValueError(f"decision_period is {decision_period}; it must lie in 1-{MAX_DECISION_PERIOD}.")
        if not 0 <= decision_step < decision_period:
            raise ValueError(
                f"decision_step is {decision_step}; it must lie between 0 and decision_period - 1, "
                f"which is {decision_period - 1}."
            )
        self.agent = agent
        self.runtime = agent.runtime
        self.decision_period = decision_period
        self.decision_step = decision_step
        self.take_actions_between_decisions = take_actions_between_decisions
        kind = type(self)
        self._overridden = (
            kind.should_request_decision is not DecisionRequester.should_request_decision
            or kind.should_request_action is not DecisionRequester.should_request_action
        )
        agent.academy.add_requester(self)

    def should_request_decision(self, context: DecisionRequestContext) -> bool:
        """Whether the agent decides in this step."""
        return context.academy_step_count % self.decision_period == self.decision_step

    def should_request_action(self, context: DecisionRequestContext) -> bool:
        """Whether the agent acts in this step even if it does not decide."""
        return self.take_actions_between_decisions


def make_requests(requesters: Iterable[DecisionRequester], step_count: int) -> None:
    """Let all requesters ask for what is due.

    Args:
        requesters: in the order of their creation.
        step_count: steps since the last environment reset, this one not yet counted.
    """
    for requester in requesters:
        # The two predicates are repeated inline, because calls would cost more than the rest.
        if requester._overridden:
            context = DecisionRequestContext(step_count)
            if requester.should_request_decision(context):
                requester.agent.request_decision()
            if requester.should_request_action(context):
                requester.agent.request_action()
        elif step_count % requester.decision_period == requester.decision_step:
            runtime = requester.runtime
            runtime.decision_requested = runtime.action_requested = True
        elif requester.take_actions_between_decisions:
            requester.runtime.action_requested = True
