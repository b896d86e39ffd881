"""Which discrete actions are forbidden at one decision."""

from __future__ import annotations

from collections.abc import Sequence

from mlagents_sdk.exception import AgentsError


class DiscreteActionMask:
    """Forbidden actions of all branches of an agent; actuators see their own branches as 0, 1, ...

    Args:
        branch_sizes: number of actions of each branch of the agent, over all actuators.
        owner: the agent, for messages.
    """

    def __init__(self, branch_sizes: Sequence[int], owner: str) -> None:
        self._branch_sizes = tuple(branch_sizes)
        self._owner = owner
        self._starts = [sum(self._branch_sizes[:branch]) for branch in range(len(self._branch_sizes))]
        self._forbidden = [False] * sum(self._branch_sizes)
        self._used = False
        self._first_branch = 0
        self._num_branches = len(self._branch_sizes)

    def set_action_enabled(self, branch: int, action_index: int, enabled: bool) -> None:
        """Allow or forbid one action until the next decision.

        Args:
            branch: branch of the actuator that writes the mask, from 0.
            action_index: action of that branch, from 0.
            enabled: False to forbid it.

        Raises:
            AgentsError: there is no such branch or action.
        """
        self._check_branch(branch)
        size = self._branch_sizes[self._first_branch + branch]
        if not 0 <= action_index < size:
            raise AgentsError(
                f"{self._owner}: the action mask names action {action_index} of branch {branch}, which has "
                f"{size} actions, counted from 0."
            )
        self._forbidden[self._starts[self._first_branch + branch] + action_index] = not enabled
        self._used = True

    def set_branch_enabled(self, branch: int, enabled: Sequence[bool]) -> None:
        """Allow or forbid all actions of one branch at once, until the next decision.

        Args:
            branch: branch of the actuator that writes the mask, from 0.
            enabled: for each action of the branch False to forbid it.

        Raises:
            AgentsError: there is no such branch, or it has another number of actions.
        """
        self._check_branch(branch)
        size = self._branch_sizes[self._first_branch + branch]
        if len(enabled) != size:
            raise AgentsError(
                f"{self._owner}: the action mask gives {len(enabled)} actions of branch {branch}, which has "
                f"{size}. Give one bool per action."
            )
        start = self._starts[self._first_branch + branch]
        self._forbidden[start : start + size] = [not allowed for allowed in enabled]
        self._used = True

    def select(self, first_branch: int, num_branches: int) -> None:
        """Let the next calls speak of the branches of one actuator."""
        self._first_branch, self._num_branches = first_branch, num_branches

    def reset(self) -> None:
        """Allow everything."""
        if self._used:
            self._forbidden = [False] * len(self._forbidden)
            self._used = False

    def read(self) -> list[bool]:
        """True for each forbidden action, branch after branch.

        Raises:
            AgentsError: no action of some branch is left.
        """
        if self._used:
            for branch, (start, size) in enumerate(zip(self._starts, self._branch_sizes, strict=True)):
                if all(self._forbidden[start : start + size]):
                    raise AgentsError(
                        f"{self._owner}: all {size} actions of branch {branch} are masked. Leave at least "
                        "one action of every branch enabled."
                    )
        return self._forbidden

    def _check_branch(self, branch: int) -> None:
        if not 0 <= branch < self._num_branches:
            raise AgentsError(
                f"{self._owner}: the action mask names branch {branch}, but there are {self._num_branches} "
                "branches, counted from 0."
            )
