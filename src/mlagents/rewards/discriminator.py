"""The network that judges whether a transition is the expert's, for adversarial imitation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mlagents.networks.body import Body
from mlagents.networks.initialization import kaiming_normal, xavier_uniform
from mlagents.networks.settings import NetworkSettings
from mlagents.rewards.networks import MakeBody, encode
from mlagents_envs.base_env import ObservationSpec

BOTTLENECK_SIZE = 128
_CODE_GAIN = 0.1
_LOGIT_GAIN = 0.2


class Discriminator(nn.Module):
    """``D = sigmoid(logit)``, the probability that a transition is the expert's.

    With a bottleneck the logit is made from a noisy code z ~ N(mu(s, a), sigma²) of 128 numbers, whose
    information about its input the loss can limit (Peng et al. 2019, arXiv 1810.00821).

    Args:
        specs: observations.
        extra_size: width of what it sees beside observations.
        settings: shape of the body.
        generator: source of initial weights.
        bottleneck: whether to code.
        make_body: makes the body.
    """

    def __init__(
        self,
        specs: Sequence[ObservationSpec],
        extra_size: int,
        settings: NetworkSettings,
        generator: torch.Generator,
        *,
        bottleneck: bool = False,
        make_body: MakeBody = Body,
    ) -> None:
        super().__init__()
        self._extra_size = extra_size
        self.body = make_body(specs, settings, generator, extra_size=extra_size)
        size = self.body.output_size
        self.code: nn.Linear | None = None
        if bottleneck:
            self.code = nn.Linear(size, BOTTLENECK_SIZE)
            kaiming_normal(self.code.weight, _CODE_GAIN, generator)
            nn.init.zeros_(self.code.bias)
            self.log_sigma = nn.Parameter(torch.zeros(BOTTLENECK_SIZE))
            size = BOTTLENECK_SIZE
        self.head = nn.Linear(size, 1)
        xavier_uniform(self.head.weight, generator)
        with torch.no_grad():
            self.head.weight.mul_(_LOGIT_GAIN)
        nn.init.zeros_(self.head.bias)

    def features(self, observations: Sequence[Tensor], extra: Tensor) -> Tensor:
        """Mean of the code ``[B, 128]``, or the body's encoding ``[B, F]`` where there is no bottleneck.

        Args:
            observations: float32 ``[B, *shape]``, normalised.
            extra: float32 ``[B, extra_size]``.
        """
        encoding = encode(self.body, observations, extra if self._extra_size else None)
        if self.code is None:
            return encoding
        mean: Tensor = self.code(encoding)
        return mean

    def logits(self, features: Tensor, noise: Tensor | None = None) -> Tensor:
        """Logits ``[B]`` of :meth:`features`; ``noise`` ``[B, 128]``, standard normal, samples the code."""
        if noise is not None:
            features = features + self.log_sigma.exp() * noise
        result: Tensor = self.head(features).squeeze(1)
        return result

    def code_divergence(self, mean: Tensor) -> Tensor:
        """Information in the code, ``[B]``, of means mu ``[B, 128]``.

        ``KL(N(mu, sigma²) || N(0, 1)) = ½ sum(mu² + sigma² - 1 - ln sigma²)``, in nats.
        """
        variance = (2.0 * self.log_sigma).exp()
        return 0.5 * (mean.square() + variance - 1.0 - 2.0 * self.log_sigma).sum(dim=1)
