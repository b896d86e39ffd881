from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np
from match3_helpers import TableBoard
from numpy.typing import NDArray
from sdk_helpers import CONTINUOUS, NAME

from mlagents_envs.base_env import DimensionProperty
from mlagents_envs.images import PNG_SIGNATURE, process_pixels
from mlagents_sdk import Academy, Agent, AgentsError, DecisionRequester, SdkEnvironment, Sensor
from mlagents_sdk.match3 import BoardSize, Match3ObservationType, Match3SensorComponent
from mlagents_sdk.sensors.compression import CompressionType, PngEncoder, compression_of

VECTOR, VISUAL = Match3ObservationType.VECTOR, Match3ObservationType.UNCOMPRESSED_VISUAL
LARGEST = BoardSize(9, 8, 6, 2)


def sensors_of(board: TableBoard, kind: Match3ObservationType) -> list[Sensor]:
    agent = Agent(Academy(), CONTINUOUS)
    return Match3SensorComponent(agent, board, observation_type=kind).create_sensors()


def written(sensor: Sensor) -> NDArray[np.float32]:
    out = np.full(sensor.get_observation_spec().shape, np.nan, dtype=np.float32)
    assert sensor.write(out) == out.size
    return out


@st.composite
def boards(draw: st.DrawFn) -> TableBoard:
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 8))
    cells = draw(st_np.arrays(np.int64, (rows, columns), elements=st.integers(0, 5)))
    special = draw(st_np.arrays(np.int64, (rows, columns), elements=st.integers(0, 2)))
    return TableBoard(cells, special, LARGEST)


def test_names_and_sizes() -> None:
    board = TableBoard(np.zeros((9, 8), int), np.zeros((9, 8), int), LARGEST)
    cells, special = sensors_of(board, VECTOR)
    assert (cells.get_name(), special.get_name()) == ("Match3 Sensor (cells)", "Match3 Sensor (special)")
    assert cells.get_observation_spec().shape == (432,)
    assert special.get_observation_spec().shape == (216,)
    cells, special = sensors_of(board, VISUAL)
    assert cells.get_observation_spec().shape == (6, 9, 8)
    assert special.get_observation_spec().shape == (3, 9, 8)
    moves = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    assert cells.get_observation_spec().dimension_property == (DimensionProperty.NONE, moves, moves)


def test_boards_without_special_cells_have_one_sensor() -> None:
    board = TableBoard(np.zeros((2, 2), int), None, BoardSize(2, 2, 3))
    assert [sensor.get_name() for sensor in sensors_of(board, VECTOR)] == ["Match3 Sensor (cells)"]


def test_a_small_board_by_hand() -> None:
    board = TableBoard(np.array([[2, 0]]), None, BoardSize(2, 2, 3))  # the upper row does not exist now
    (vector,) = sensors_of(board, VECTOR)
    assert written(vector).tolist() == [0, 0, 1, 1, 0, 0, *[0] * 6]
    (visual,) = sensors_of(board, VISUAL)
    assert written(visual).tolist() == [[[0, 1], [0, 0]], [[0, 0], [0, 0]], [[1, 0], [0, 0]]]


@given(boards())
def test_each_cell_of_the_board_is_one_hot_and_others_are_zero(board: TableBoard) -> None:
    rows, columns = board.cells.shape
    for vector, visual, values in zip(
        sensors_of(board, VECTOR), sensors_of(board, VISUAL), (board.cells, board.special), strict=True
    ):
        assert values is not None
        k = visual.get_observation_spec().shape[0]
        flat, image = written(vector), written(visual)
        for row in range(9):
            for column in range(8):
                one_hot = image[:, row, column].tolist()
                expected = [0.0] * k
                if row < rows and column < columns:
                    expected[values[row, column]] = 1.0
                assert one_hot == expected
                start = (row * 8 + column) * k
                assert flat[start : start + k].tolist() == expected


@pytest.mark.parametrize("num_types", [1, 2, 3, 6])
def test_pngs_hold_the_same(num_types: int) -> None:
    cells = np.arange(6).reshape(2, 3) % num_types
    board = TableBoard(cells, None, BoardSize(3, 3, num_types))
    (plain,) = sensors_of(board, VISUAL)
    (sensor,) = sensors_of(board, Match3ObservationType.COMPRESSED_VISUAL)
    assert sensor.get_observation_spec() == plain.get_observation_spec()
    assert compression_of(plain).compression_type is CompressionType.NONE
    spec = compression_of(sensor)
    assert spec.compression_type is CompressionType.PNG
    sent = PngEncoder("cells", spec, num_types).encode(written(sensor))
    assert sent.count(PNG_SIGNATURE) == -(-num_types // 3)
    np.testing.assert_array_equal(process_pixels(sent, num_types), written(plain))


def test_slow_and_fast_ways_to_read_a_board_agree() -> None:
    class Fast(TableBoard):
        def cell_types(self) -> NDArray[np.integer]:
            return self.cells

    cells = np.arange(72).reshape(9, 8) % 6
    slow, fast = (kind(cells, np.zeros((9, 8), int), LARGEST) for kind in (TableBoard, Fast))
    np.testing.assert_array_equal(written(sensors_of(slow, VISUAL)[0]), written(sensors_of(fast, VISUAL)[0]))


def test_unknown_types_are_refused_by_cell() -> None:
    board = TableBoard(np.array([[0, 1], [0, 3]]), None, BoardSize(2, 2, 3))
    (sensor,) = sensors_of(board, VECTOR)
    with pytest.raises(AgentsError, match=r"\(cells\): the cell in row 1, column 1 has the type 3.*0 to 2"):
        written(sensor)
    board.cells = np.array([[0, -1], [0, 0]])
    with pytest.raises(AgentsError, match=r"row 0, column 1 has the type -1"):
        written(sensor)


def test_a_board_that_outgrows_its_declared_size_is_warned_about_and_cut() -> None:
    board = TableBoard(np.array([[0, 1, 2], [2, 1, 0]]), None, BoardSize(2, 2, 3))
    (sensor,) = sensors_of(board, VISUAL)
    with pytest.warns(UserWarning, match=r"columns=3.*at most.*columns=2"):
        image = written(sensor)
    assert image.argmax(axis=0).tolist() == [[0, 1], [2, 1]]


def test_agents_see_the_board_as_it_is_at_each_record() -> None:
    academy = Academy()
    agent = Agent(academy, CONTINUOUS)
    agent.collect_observations = lambda sensor: sensor.add_observation(0.0)  # type: ignore[method-assign]
    board = TableBoard(np.array([[0, 1]]), None, BoardSize(1, 2, 2))
    Match3SensorComponent(agent, board)
    DecisionRequester(agent, 1)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    assert env.get_steps(NAME)[0].obs[0].tolist() == [[1, 0, 0, 1]]
    board.cells = np.array([[1, 1]])
    env.step()
    assert env.get_steps(NAME)[0].obs[0].tolist() == [[0, 1, 0, 1]]
    board.cells = np.array([[2, 1]])
    with pytest.raises(
        AgentsError, match=r"Test\?team=0, agent 0\. Sensor Match3 Sensor \(cells\): the cell"
    ):
        env.step()
