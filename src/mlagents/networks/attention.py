"""Attention over lists of entities whose number varies (Baker et al. 2020, arXiv:1909.07528, app. B).

Every entity is embedded together with what the agent observes of itself, all entities attend to each other
(Vaswani et al. 2017, arXiv:1706.03762), and the mean over those that exist is the code. The order of
entities has no effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlagents.networks.initialization import t_fixup_linear

EMBEDDING_SIZE = 128
"""Width of the code of all entities together, E."""

NUM_HEADS = 4
MASKED_LOGIT = -1e6
NORM_EPSILON = 1e-5
MEAN_EPSILON = 1e-7

_ZERO_SQUARE = 1e-30  # below any square that float32 features can mean something with


def padding_threshold(padding_norm: float) -> float:
    """The sum of squared features below which an entity is padding.

    Args:
        padding_norm: largest norm of an entity that is still padding; 0 means that only entities whose
            features are all zero are.
    """
    return max(padding_norm * padding_norm, _ZERO_SQUARE)


class SelfAttention(nn.Module):
    """One layer of multi-head self-attention with a residual connection, and the mean over entities.

    With ``x̂ = LN(x)``: ``y = LN(W_o softmax(q kᵀ / √E) v + x̂)``, where q, k and v are linear in ``x̂`` and
    LN normalises without learned scale. The logits are divided by the root of the whole width, not of that
    of one head. The code is the mean of y over entities that are not padding, zeros where there are none.

    Args:
        embedding_size: width, E, divisible by the number of heads.
        generator: source of initial weights.

    Raises:
        ValueError: the width cannot be divided among the heads.
    """

    def __init__(self, embedding_size: int, generator: torch.Generator) -> None:
        super().__init__()
        if embedding_size % NUM_HEADS:
            raise ValueError(
                f"the width of attention must be a multiple of {NUM_HEADS}, not {embedding_size}"
            )
        self.embedding_size = embedding_size

        def layer() -> nn.Linear:
            return t_fixup_linear(embedding_size, embedding_size, embedding_size, generator)

        self.query, self.key, self.value, self.out = layer(), layer(), layer(), layer()

    def forward(self, entities: Tensor, is_padding: Tensor) -> Tensor:
        """Map embedded entities to one code.

        Args:
            entities: ``[B, N, E]``.
            is_padding: bool ``[B, N]``, True where there is no entity.

        Returns:
            ``[B, E]``.
        """
        batch, count, width = entities.shape
        x = functional.layer_norm(entities, (width,), eps=NORM_EPSILON)  # [B, N, E]
        q, k, v = (self._heads(layer(x)) for layer in (self.query, self.key, self.value))  # [B, 4, N, E/4]
        logits = q @ k.transpose(2, 3) / math.sqrt(width)  # [B, 4, N, N]
        logits = logits.masked_fill(is_padding[:, None, None, :], MASKED_LOGIT)
        attended = torch.softmax(logits, dim=3) @ v  # [B, 4, N, E/4]
        attended = attended.transpose(1, 2).reshape(batch, count, width)  # [B, N, E]
        y = functional.layer_norm(self.out(attended) + x, (width,), eps=NORM_EPSILON)  # [B, N, E]
        exists = (~is_padding).to(y.dtype).unsqueeze(2)  # [B, N, 1]
        return (y * exists).sum(dim=1) / (exists.sum(dim=1) + MEAN_EPSILON)

    def _heads(self, x: Tensor) -> Tensor:
        """Split ``[B, N, E]`` into heads ``[B, 4, N, E/4]``."""
        batch, count, width = x.shape
        return x.view(batch, count, NUM_HEADS, width // NUM_HEADS).transpose(1, 2)


class EntityEncoder(nn.Module):
    """Encodes all variable-length observations of an agent, together.

    The code of what else the agent observes, s, is embedded as ``x_s = swish(W s + b)``; entity i as
    ``swish(W [x_s, e_i] + b)`` with a W for each observation, without x_s where there is no s.

    Padding is told by the features alone, since that is all a game sends: an entity whose norm is below
    ``padding_norm``. With 0, the default, it is one whose features are all zero. The original took 0.1,
    which makes entities vanish that come near the origin of their own features; a game can avoid the
    remaining case with a feature that is 1 wherever there is an entity.

    Args:
        self_size: width of s, 0 where there is none.
        feature_sizes: features per entity, for each variable-length observation.
        generator: source of initial weights.
        padding_norm: see above.
        embedding_size: width of the code, E.

    Attributes:
        padding_threshold: sum of squared features below which an entity is padding.
    """

    def __init__(
        self,
        self_size: int,
        feature_sizes: Sequence[int],
        generator: torch.Generator,
        *,
        padding_norm: float = 0.0,
        embedding_size: int = EMBEDDING_SIZE,
    ) -> None:
        super().__init__()
        self.padding_threshold = padding_threshold(padding_norm)
        self.self_embedding = (
            t_fixup_linear(self_size, embedding_size, embedding_size, generator) if self_size else None
        )
        beside = embedding_size if self_size else 0
        self.embeddings = nn.ModuleList(
            t_fixup_linear(beside + features, embedding_size, embedding_size, generator)
            for features in feature_sizes
        )
        self.attention = SelfAttention(embedding_size, generator)

    def forward(self, own: Tensor, entities: Sequence[Tensor]) -> Tensor:
        """Encode entities.

        Args:
            own: s, ``[B, self_size]``.
            entities: one tensor ``[B, N_i, features_i]`` per variable-length observation.

        Returns:
            ``[B, E]``.
        """
        beside = None
        if self.self_embedding is not None:
            beside = functional.silu(self.self_embedding(own))  # [B, E]
        embedded = [
            _embed(layer, beside, each)
            for layer, each in zip(self.embeddings, entities, strict=True)
            if isinstance(layer, nn.Linear)
        ]
        code: Tensor = self.attention(
            torch.cat(embedded, dim=1), torch.cat([self.is_padding(each) for each in entities], dim=1)
        )
        return code

    def is_padding(self, entities: Tensor) -> Tensor:
        """Which entities ``[B, N, features]`` are padding, bool ``[B, N]``."""
        return entities.square().sum(dim=2) < self.padding_threshold


def _embed(layer: nn.Linear, beside: Tensor | None, entities: Tensor) -> Tensor:
    """``swish(W [x_s, e] + b)``, ``[B, N, E]``; the part of x_s is computed once for all entities."""
    if beside is None:
        return functional.silu(layer(entities))
    by_self, by_entity = torch.split(layer.weight, [beside.shape[1], entities.shape[2]], dim=1)
    common = functional.linear(beside, by_self, layer.bias).unsqueeze(1)  # [B, 1, E]
    return functional.silu(functional.linear(entities, by_entity) + common)
