"""Settings of the reward signal ``gail``."""

from __future__ import annotations

from enum import StrEnum

from mlagents.imitation.alignment import DemonstrationAlignment
from mlagents.rewards.learned_settings import LearnedSignalSettings
from mlagents.settings.types import Bool, Text


class RewardForm(StrEnum):
    """How the probability D that a transition is the expert's becomes a reward."""

    LOG_ODDS = "log_odds"
    """ln D - ln(1 - D), of either sign (Fu et al., arXiv:1710.11248): favours no length of episodes."""
    SURVIVAL = "survival"
    """-ln(1 - D), never negative, as in the original toolkit: whoever lives longer gets more."""


class GAILSettings(LearnedSignalSettings):
    """Adversarial imitation (Ho and Ermon, arXiv:1606.03476): reward for what looks like the expert's."""

    demo_path: Text
    """Demonstration file, or a folder of them."""
    demo_alignment: DemonstrationAlignment = DemonstrationAlignment.AUTO
    """To which observation a recorded action belongs; found out per file by default."""
    use_actions: Bool = False
    """Whether the discriminator sees actions beside observations."""
    use_vail: Bool = False
    """Whether it sees them through a variational bottleneck (Peng et al., arXiv:1810.00821)."""
    reward_form: RewardForm = RewardForm.LOG_ODDS
    """How its judgement becomes a reward."""
    absorbing_states: Bool = True
    """Whether what follows the end of an episode is judged too (Kostrikov et al., arXiv:1809.02925).

    Without it, ending an episode early is worth nothing beyond: good where rewards are negative, bad where
    they are positive, whatever the expert did. False is the original toolkit's way.
    """
