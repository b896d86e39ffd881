from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from sdk_helpers import NAME
from test_sdk_wire_records import SPEC
from wire_helpers import FULL, HYBRID, GameThread, OneAgent, Trainer, closing, infos, make_wanderers, step

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.communicator_objects.space_type_pb2 import continuous as continuous_type
from mlagents_envs.communicator_objects.space_type_pb2 import discrete as discrete_type
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_sdk.wire.messages import brain_parameters
from mlagents_sdk.wire.protocol import check_trainer_can, incompatibility


@pytest.fixture
def trainer() -> Iterator[Trainer]:
    trainer = Trainer()
    yield trainer
    trainer.stop()


def without(capability: str) -> UnityRLCapabilitiesProto:
    capabilities = UnityRLCapabilitiesProto()
    capabilities.CopyFrom(FULL)
    setattr(capabilities, capability, False)
    return capabilities


def test_a_trainer_without_hybrid_actions_gets_the_old_fields(trainer: Trainer) -> None:
    game = GameThread(OneAgent(), trainer.port)
    message = trainer.begin(capabilities=without("hybridActions"))
    (parameters,) = message.unity_output.rl_initialization_output.brain_parameters
    assert list(parameters.vector_action_size_deprecated) == [1]
    assert parameters.vector_action_space_type_deprecated == continuous_type
    trainer.answer(closing())
    assert game.join() is None
    chooser = brain_parameters("C", ActionSpec.create_discrete((3, 2)), hybrid_actions=False)
    assert list(chooser.vector_action_size_deprecated) == [3, 2]
    assert chooser.vector_action_space_type_deprecated == discrete_type


def test_a_trainer_without_hybrid_actions_cannot_have_hybrid_behaviors(trainer: Trainer) -> None:
    game = GameThread(make_wanderers, trainer.port)
    last = trainer.begin(capabilities=without("hybridActions"))
    assert last.header.status == 400
    assert HYBRID.fully_qualified_name in last.header.message
    trainer.answer(closing())
    assert isinstance(game.join(), UnityEnvironmentException)


def test_variable_lengths_need_a_trainer_that_knows_them() -> None:
    check_trainer_can("B", SPEC, FULL)
    with pytest.raises(UnityEnvironmentException, match="sensor Entities"):
        check_trainer_can("B", SPEC, without("variableLengthObservation"))


def test_groups_warn_once_where_the_trainer_does_not_know_them(
    trainer: Trainer, caplog: pytest.LogCaptureFixture
) -> None:
    factory = OneAgent()
    game = GameThread(factory, trainer.port)
    with caplog.at_level(logging.WARNING):
        trainer.begin(capabilities=without("multiAgentGroups"))
        factory.agents[0].runtime.group_id = 3
        factory.agents[0].runtime.group_reward = 0.5
        (info,) = infos(trainer.tell(step()), NAME)
        trainer.tell(step())
    assert (info.group_id, info.group_reward) == (3, 0.5)
    assert len([record for record in caplog.records if "form groups" in record.getMessage()]) == 1
    trainer.answer(closing())
    assert game.join() is None


@pytest.mark.parametrize(
    ("version", "suits"),
    [
        ("1.5.0", True),
        ("1.0.0", True),
        ("1.12.3", True),
        ("2.0.0", False),
        ("0.5.0", False),
        ("", False),
        ("API-15", False),
    ],
)
def test_version_rule(version: str, suits: bool) -> None:
    assert (incompatibility(version) is None) is suits
