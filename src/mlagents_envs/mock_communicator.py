"""A communicator without a game, for tests of what stands above one."""

from __future__ import annotations

from mlagents_envs.communicator.base import Communicator, PollCallback
from mlagents_envs.communicator.versions import API_VERSION
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import ActionSpecProto, BrainParametersProto
from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.communicator_objects.observation_pb2 import NONE, PNG, ObservationProto
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.communicator_objects.unity_output_pb2 import UnityOutputProto
from mlagents_envs.communicator_objects.unity_rl_initialization_output_pb2 import (
    UnityRLInitializationOutputProto,
)
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto

_BEHAVIOR = "RealFakeBrain"
_DONE_AGENT = 2


class MockCommunicator(Communicator):
    """Answers every exchange with the same agents.

    Each agent has the observation 1, 2, 3, ..., the reward 1 and its index as id; the episode of agent 2
    has ended.

    Args:
        discrete_action: branches of 3 and 2 choices instead of 2 continuous actions.
        visual_inputs: number of images that each agent has beside; they carry no data.
        num_agents: number of agents.
        brain_name: name of the announced behavior; the agents are always those of ``RealFakeBrain``.
        vec_obs_size: size of the observation.

    Attributes:
        has_been_closed: whether :meth:`close` was called.
    """

    def __init__(
        self,
        discrete_action: bool = False,
        visual_inputs: int = 0,
        num_agents: int = 3,
        brain_name: str = _BEHAVIOR,
        vec_obs_size: int = 3,
    ) -> None:
        super().__init__()
        self.is_discrete = discrete_action
        self.visual_inputs = visual_inputs
        self.num_agents = num_agents
        self.brain_name = brain_name
        self.vec_obs_size = vec_obs_size
        self.has_been_closed = False

    def initialize(
        self, inputs: UnityInputProto, poll_callback: PollCallback | None = None
    ) -> UnityOutputProto:
        """Announce the behavior."""
        actions = (
            ActionSpecProto(num_discrete_actions=2, discrete_branch_sizes=[3, 2])
            if self.is_discrete
            else ActionSpecProto(num_continuous_actions=2)
        )
        return UnityOutputProto(
            rl_initialization_output=UnityRLInitializationOutputProto(
                name="RealFakeAcademy",
                communication_version=API_VERSION,
                package_version="mock_package_version",
                capabilities=UnityRLCapabilitiesProto(baseRLCapabilities=True),
                brain_parameters=[BrainParametersProto(brain_name=self.brain_name, action_spec=actions)],
            )
        )

    def exchange(
        self, inputs: UnityInputProto, poll_callback: PollCallback | None = None
    ) -> UnityOutputProto | None:
        """The same agents every time."""
        agents = UnityRLOutputProto.ListAgentInfoProto(
            value=[self._agent(index) for index in range(self.num_agents)]
        )
        return UnityOutputProto(rl_output=UnityRLOutputProto(agentInfos={_BEHAVIOR: agents}))

    def close(self) -> None:
        """Note that it was called."""
        self.has_been_closed = True

    def _agent(self, index: int) -> AgentInfoProto:
        vector = ObservationProto(
            shape=[self.vec_obs_size],
            compression_type=NONE,
            float_data=ObservationProto.FloatData(data=range(1, self.vec_obs_size + 1)),
        )
        image = ObservationProto(shape=[30, 40, 3], compression_type=PNG)
        return AgentInfoProto(
            reward=1,
            done=index == _DONE_AGENT,
            id=index,
            observations=[*[image] * self.visual_inputs, vector],
        )
