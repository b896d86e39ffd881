from __future__ import annotations

import struct
import uuid

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import given
from hypothesis import strategies as st

import mlagents_envs
from mlagents_envs.communicator_objects.training_analytics_pb2 import TrainingEnvironmentInitialized
from mlagents_envs.exception import (
    UnityCommunicationException,
    UnityEnvironmentException,
    UnitySideChannelException,
)
from mlagents_envs.side_channel import (
    DefaultTrainingAnalyticsSideChannel,
    IncomingMessage,
    OutgoingMessage,
    SideChannel,
)
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfig, EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.float_properties_channel import FloatPropertiesChannel
from mlagents_envs.side_channel.raw_bytes_channel import RawBytesChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel

A, B = uuid.UUID(int=1), uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")


def test_values_have_the_byte_layout_of_the_protocol() -> None:
    msg = OutgoingMessage()
    msg.write_bool(True)
    msg.write_int32(-2)
    msg.write_float32(1.5)
    msg.write_string("ab")
    msg.write_float32_list([0.5, -1.0])
    expected = b"\x01" + b"\xfe\xff\xff\xff" + b"\x00\x00\xc0\x3f" + b"\x02\x00\x00\x00ab"
    assert bytes(msg.buffer) == expected + struct.pack("<iff", 2, 0.5, -1.0)


@given(
    flag=st.booleans(),
    number=st.integers(-(2**31), 2**31 - 1),
    real=st.floats(width=32, allow_nan=False),
    text=st.text(st.characters(codec="ascii")),
    reals=st.lists(st.floats(width=32, allow_nan=False)),
)
def test_what_is_written_is_read(flag: bool, number: int, real: float, text: str, reals: list[float]) -> None:
    out = OutgoingMessage()
    out.write_string(text)
    out.write_bool(flag)
    out.write_float32_list(reals)
    out.write_int32(number)
    out.write_float32(real)
    msg = IncomingMessage(out.buffer)
    assert msg.read_string() == text
    assert msg.read_bool() is flag
    assert msg.read_float32_list() == reals
    assert msg.read_int32() == number
    assert msg.read_float32() == real
    assert msg.get_raw_bytes() == bytes(out.buffer)


def test_reading_at_the_end_gives_defaults() -> None:
    msg = IncomingMessage(b"")
    assert (msg.read_bool(), msg.read_int32(), msg.read_float32()) == (False, 0, 0.0)
    assert (msg.read_string(), msg.read_float32_list()) == ("", [])
    assert (msg.read_bool(True), msg.read_int32(3), msg.read_float32(0.5)) == (True, 3, 0.5)
    assert (msg.read_string("x"), msg.read_float32_list([1.0])) == ("x", [1.0])


def test_reading_begins_at_the_offset() -> None:
    assert IncomingMessage(b"\xff\xff\x07\x00\x00\x00", offset=2).read_int32() == 7


@pytest.mark.parametrize(
    ("data", "reader"),
    [
        (b"\x01\x02", "read_int32"),
        (b"\x01\x02\x03", "read_float32"),
        (b"\x01\x00", "read_string"),
        (b"\x05\x00\x00\x00abc", "read_string"),
        (b"\xff\xff\xff\xff", "read_string"),
        (b"\x02\x00\x00\x00\xc3\xa4", "read_string"),
        (b"\x02\x00\x00\x00\x00\x00\x00\x00", "read_float32_list"),
        (b"\xff\xff\xff\x7f", "read_float32_list"),
        (b"\xfe\xff\xff\xff\x00\x00\x00\x00", "read_float32_list"),
    ],
)
def test_damaged_messages_are_refused(data: bytes, reader: str) -> None:
    with pytest.raises(UnityEnvironmentException, match=r"side-channel message.*byte 0"):
        getattr(IncomingMessage(data), reader)()


def test_values_that_do_not_fit_are_refused() -> None:
    msg = OutgoingMessage()
    with pytest.raises(UnitySideChannelException, match="2147483648"):
        msg.write_int32(2**31)
    with pytest.raises(UnitySideChannelException, match="1e\\+300"):
        msg.write_float32(1e300)
    with pytest.raises(UnitySideChannelException, match="Größe"):
        msg.write_string("Größe")
    assert not msg.buffer


def test_raw_bytes_replace_what_was_written_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    msg = OutgoingMessage()
    msg.set_raw_bytes(b"abc")
    assert "WARNING" not in capsys.readouterr().out
    msg.set_raw_bytes(b"d")
    assert "replaces the 3 bytes" in capsys.readouterr().out
    assert bytes(msg.buffer) == b"d"


def test_records_have_the_byte_layout_of_the_protocol() -> None:
    channel = RawBytesChannel(B)
    channel.send_raw_data(b"hello")
    data = SideChannelManager([channel]).generate_side_channel_messages()
    guid = bytes.fromhex("33221100 5544 7766 8899 aabbccddeeff")
    assert bytes(data) == guid + b"\x05\x00\x00\x00hello"


def test_channels_are_sent_in_order_and_only_once() -> None:
    first, second = RawBytesChannel(A), RawBytesChannel(B)
    manager = SideChannelManager([first, second])
    second.send_raw_data(b"3")
    first.send_raw_data(b"1")
    first.send_raw_data(b"2")
    data = manager.generate_side_channel_messages()
    assert [data[i + 20 : i + 21] for i in (0, 21, 42)] == [b"1", b"2", b"3"]
    assert manager.generate_side_channel_messages() == bytearray()


def test_messages_reach_their_channels(capsys: pytest.CaptureFixture[str]) -> None:
    sender = [RawBytesChannel(A), RawBytesChannel(B), RawBytesChannel(uuid.UUID(int=3))]
    for channel in sender:
        channel.send_raw_data(channel.channel_id.bytes)
        channel.send_raw_data(b"")
    receiver = [RawBytesChannel(B), RawBytesChannel(A)]
    data = SideChannelManager(sender).generate_side_channel_messages()
    SideChannelManager(receiver).process_side_channel_message(data)
    for channel in receiver:
        assert channel.get_and_clear_received_messages() == [channel.channel_id.bytes, b""]
        assert channel.get_and_clear_received_messages() == []
    assert str(uuid.UUID(int=3)) in capsys.readouterr().out


@pytest.mark.parametrize("cut", [1, 19, 21])
def test_truncated_records_are_refused_before_anything_is_handed_out(cut: int) -> None:
    channel = RawBytesChannel(A)
    channel.send_raw_data(b"first")
    channel.send_raw_data(b"second")
    manager = SideChannelManager([channel])
    data = manager.generate_side_channel_messages()
    with pytest.raises(UnityEnvironmentException, match="side-channel data"):
        manager.process_side_channel_message(data[: 25 + cut])
    assert channel.get_and_clear_received_messages() == []


def test_negative_lengths_are_refused() -> None:
    with pytest.raises(UnityEnvironmentException, match="claims -1 bytes"):
        SideChannelManager([]).process_side_channel_message(A.bytes_le + b"\xff\xff\xff\xff")


def test_two_channels_of_one_id_are_refused() -> None:
    with pytest.raises(UnityEnvironmentException, match=f"{A}.*RawBytesChannel.*FloatPropertiesChannel"):
        SideChannelManager([RawBytesChannel(A), FloatPropertiesChannel(A)])


def test_exceptions_of_channels_propagate() -> None:
    class Failing(SideChannel):
        def on_message_received(self, msg: IncomingMessage) -> None:
            raise RuntimeError("mine")

    failing = Failing(A)
    failing.queue_message_to_send(OutgoingMessage())
    manager = SideChannelManager([failing])
    with pytest.raises(RuntimeError, match="mine"):
        manager.process_side_channel_message(manager.generate_side_channel_messages())


def test_engine_settings_are_one_message_each() -> None:
    channel = EngineConfigurationChannel()
    assert str(channel.channel_id) == "e951342c-4f7e-11ea-b238-784f4387d1f7"
    channel.set_configuration(EngineConfig.default_config())
    assert [bytes(message) for message in channel.message_queue] == [
        struct.pack("<iii", 0, 80, 80),
        struct.pack("<ii", 1, 1),
        struct.pack("<if", 2, 20.0),
        struct.pack("<ii", 3, -1),
        struct.pack("<ii", 4, 60),
    ]


def test_engine_settings_that_are_not_given_are_not_sent() -> None:
    channel = EngineConfigurationChannel()
    channel.set_configuration_parameters(time_scale=3.0)
    assert [bytes(message) for message in channel.message_queue] == [struct.pack("<if", 2, 3.0)]
    with pytest.raises(UnitySideChannelException, match="height=480"):
        channel.set_configuration_parameters(height=480)


def test_environment_parameters_have_the_byte_layout_of_the_protocol() -> None:
    channel = EnvironmentParametersChannel()
    assert str(channel.channel_id) == "534c891e-810f-11ea-a9d0-822485860400"
    channel.set_float_parameter("mass", 2.5)
    channel.set_uniform_sampler_parameters("mass", 0.5, 1.5, 7)
    channel.set_gaussian_sampler_parameters("mass", 1.0, 0.25, 8)
    channel.set_multirangeuniform_sampler_parameters("mass", [(0.0, 1.0), (4.0, 5.0)], 9)
    key = b"\x04\x00\x00\x00mass"
    assert [bytes(message) for message in channel.message_queue] == [
        key + struct.pack("<if", 0, 2.5),
        key + struct.pack("<iiiff", 1, 7, 0, 0.5, 1.5),
        key + struct.pack("<iiiff", 1, 8, 1, 1.0, 0.25),
        key + struct.pack("<iiiiffff", 1, 9, 2, 4, 0.0, 1.0, 4.0, 5.0),
    ]


@pytest.mark.parametrize(
    "channel",
    [EngineConfigurationChannel(), EnvironmentParametersChannel(), DefaultTrainingAnalyticsSideChannel()],
)
def test_channels_that_only_send_refuse_messages(channel: SideChannel) -> None:
    with pytest.raises(UnityCommunicationException, match="only sends"):
        channel.on_message_received(IncomingMessage(b""))


def test_float_properties_travel_in_both_directions() -> None:
    here, there = FloatPropertiesChannel(), FloatPropertiesChannel()
    assert str(here.channel_id) == "60ccf7d0-4f7e-11ea-b238-784f4387d1f7"
    here.set_property("speed", 0.5)
    data = SideChannelManager([here]).generate_side_channel_messages()
    SideChannelManager([there]).process_side_channel_message(data)
    for channel in (here, there):
        assert channel.get_property("speed") == 0.5
        assert channel.get_property("other") is None
        assert channel.list_properties() == ["speed"]
    there.get_property_dict_copy()["speed"] = 3.0
    assert there.get_property_dict_copy() == {"speed": 0.5}


def test_stats_wait_until_they_are_collected() -> None:
    channel = StatsSideChannel()
    assert str(channel.channel_id) == "a1d8f7b7-cec8-50f9-b78b-d3e165a78520"
    for key, value, method in (("a", 1.0, 0), ("b", 2.0, 1), ("a", 3.0, 2), ("c", 4.0, 3)):
        msg = OutgoingMessage()
        msg.write_string(key)
        msg.write_float32(value)
        msg.write_int32(method)
        channel.on_message_received(IncomingMessage(msg.buffer))
    assert channel.get_and_reset_stats() == {
        "a": [(1.0, StatsAggregationMethod.AVERAGE), (3.0, StatsAggregationMethod.SUM)],
        "b": [(2.0, StatsAggregationMethod.MOST_RECENT)],
        "c": [(4.0, StatsAggregationMethod.HISTOGRAM)],
    }
    assert channel.get_and_reset_stats() == {}


def test_unknown_aggregation_is_refused_by_name() -> None:
    msg = OutgoingMessage()
    msg.write_string("Score")
    msg.write_float32(1.0)
    msg.write_int32(4)
    with pytest.raises(UnityEnvironmentException, match=r"'Score'.* 4"):
        StatsSideChannel().on_message_received(IncomingMessage(msg.buffer))


def test_analytics_announce_the_versions() -> None:
    channel = DefaultTrainingAnalyticsSideChannel()
    assert str(channel.channel_id) == "b664a4a9-d86f-5a5f-95cb-e8353a7e8356"
    channel.environment_initialized()
    envelope = AnyMessage.FromString(bytes(channel.message_queue[0]))
    assert envelope.type_url == "type.googleapis.com/communicator_objects.TrainingEnvironmentInitialized"
    event = TrainingEnvironmentInitialized()
    assert envelope.Unpack(event)
    assert event.mlagents_version == "Custom"
    assert event.mlagents_envs_version == mlagents_envs.__version__
    assert event.python_version.count(".") == 2
    assert event.torch_version == event.torch_device_type == "Unknown"
