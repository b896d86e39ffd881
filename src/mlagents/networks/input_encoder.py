"""From the observations of an agent to one vector, whatever kinds they are of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mlagents.networks.attention import EMBEDDING_SIZE, EntityEncoder
from mlagents.networks.encoders import make_image_encoder
from mlagents.networks.observation_kinds import ObservationKind, check_specs, is_goal, kind_of
from mlagents.networks.settings import ConditioningType, NetworkSettings
from mlagents_envs.base_env import ObservationSpec


class InputEncoder(nn.Module):
    """Encodes images, attends to entities, and puts everything side by side.

    The order of the result: vectors and codes of images as the observations come, then the code of all
    entities. Goals are in it like everything else, and once more by themselves where they act through a
    hypernetwork.

    Args:
        specs: observations.
        settings: type and width of the encoders.
        generator: source of initial weights.

    Raises:
        UnsupportedObservationError: an image is too small for its encoder, or a goal is a list of entities.

    Attributes:
        output_size: width of the encoding.
        goal_size: width of the goal, 0 where there is none or it does not act through a hypernetwork.
        image_encoders: encoder of each image, by the index of the observation.
        entity_encoder: encoder of all lists of entities, None where there are none.
    """

    def __init__(
        self, specs: Sequence[ObservationSpec], settings: NetworkSettings, generator: torch.Generator
    ) -> None:
        super().__init__()
        check_specs(specs, settings)
        self._kinds = [kind_of(spec, index) for index, spec in enumerate(specs)]
        hyper = settings.goal_conditioning_type is ConditioningType.HYPER
        self._is_goal = [hyper and is_goal(spec) for spec in specs]
        self.image_encoders = nn.ModuleDict()
        feature_sizes = []
        self.output_size = self.goal_size = 0
        for index, (spec, kind) in enumerate(zip(specs, self._kinds, strict=True)):
            if kind is ObservationKind.ENTITIES:
                feature_sizes.append(spec.shape[1])
                continue
            size = spec.shape[0]
            if kind is ObservationKind.IMAGE:
                size = settings.hidden_units
                self.image_encoders[str(index)] = make_image_encoder(
                    spec.shape, settings.vis_encode_type, size, generator
                )
            self.output_size += size
            self.goal_size += size if self._is_goal[index] else 0
        self.entity_encoder: EntityEncoder | None = None
        if feature_sizes:
            self.entity_encoder = EntityEncoder(
                self.output_size, feature_sizes, generator, padding_norm=settings.padding_norm
            )
            self.output_size += EMBEDDING_SIZE

    def forward(self, observations: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Encode observations.

        Args:
            observations: float32 ``[B, *shape_i]`` each, vectors already normalised.

        Returns:
            Encoding ``[B, output_size]`` and goal ``[B, goal_size]``.
        """
        codes, goals, entities = [], [], []
        for index, (x, kind) in enumerate(zip(observations, self._kinds, strict=True)):
            if kind is ObservationKind.ENTITIES:
                entities.append(x)
                continue
            code = self.image_encoders[str(index)](x) if kind is ObservationKind.IMAGE else x  # [B, size]
            codes.append(code)
            if self._is_goal[index]:
                goals.append(code)
        own = _join(codes, observations[0])
        encoding = own
        if self.entity_encoder is not None:
            encoding = _join([*codes, self.entity_encoder(own, entities)], own)
        return encoding, _join(goals, own)


def _join(parts: Sequence[Tensor], like: Tensor) -> Tensor:
    """Parts ``[B, size_i]`` side by side; ``[B, 0]`` where there are none."""
    if len(parts) == 1:
        return parts[0]
    return torch.cat(list(parts), dim=1) if parts else like.new_zeros(len(like), 0)
