"""How many updates are owed."""

from __future__ import annotations

from mlagents.algorithms.sac_cadence import Cadence
from mlagents.algorithms.sac_settings import SACSettings


def updates_at(cadence: Cadence, step: int, num_stored: int = 10**6) -> int:
    cadence.observe(step, num_stored)
    count = 0
    while cadence.owes_update:
        cadence.count_update()
        count += 1
    return count


def test_updates_follow_the_ratio() -> None:
    """With n counted from 1: another one while step / n > ratio."""
    cadence = Cadence(SACSettings(steps_per_update=10))
    assert [updates_at(cadence, step) for step in (10, 11, 20, 21, 60, 61)] == [0, 1, 0, 1, 3, 1]
    assert cadence.updates == 6


def test_several_updates_per_step() -> None:
    cadence = Cadence(SACSettings(steps_per_update=0.5))
    assert [updates_at(cadence, step) for step in (1, 2, 3)] == [1, 2, 2]


def test_nothing_is_owed_for_the_initial_steps() -> None:
    cadence = Cadence(SACSettings(steps_per_update=10, buffer_init_steps=1000))
    assert [updates_at(cadence, step) for step in (500, 1000, 1010, 1011)] == [0, 0, 0, 1]


def test_reward_signals_have_a_ratio_of_their_own() -> None:
    cadence = Cadence(SACSettings(steps_per_update=20, reward_signal_steps_per_update=10))
    cadence.observe(101, 10**6)
    counts = 0
    while cadence.owes_signal_update:
        cadence.count_signal_update()
        counts += 1
    assert counts == 10
    assert updates_at(cadence, 101) == 5


def test_ratio_of_reward_signals_follows_that_of_updates() -> None:
    assert SACSettings(steps_per_update=7).reward_signal_steps_per_update == 7.0
    assert (
        SACSettings(steps_per_update=7, reward_signal_steps_per_update=3).reward_signal_steps_per_update
        == 3.0
    )


def test_a_replay_that_was_emptied_is_filled_before_updates_go_on() -> None:
    """D12: in the original a resumed run learns from the first few experiences, or stalls."""
    settings = SACSettings(steps_per_update=10, batch_size=64, buffer_size=50_000)
    cadence = Cadence(settings)
    assert updates_at(cadence, 20_001) == 2000
    resumed = Cadence(settings)
    resumed.set_state(cadence.get_state())
    resumed.wait_for_refill(20_000)
    assert updates_at(resumed, 20_301, 300) == 0
    assert updates_at(resumed, 25_001, 5000) == 0  # full enough; nothing is made up for
    assert updates_at(resumed, 25_011, 5010) == 1
    assert updates_at(resumed, 25_111, 5110) == 10


def test_no_more_is_refilled_than_there_was() -> None:
    cadence = Cadence(SACSettings(steps_per_update=1, batch_size=8, buffer_size=50_000))
    cadence.wait_for_refill(100)
    assert updates_at(cadence, 99, 99) == 0
    assert updates_at(cadence, 100, 100) == 0
    assert updates_at(cadence, 101, 101) == 1


def test_refilling_respects_the_initial_steps() -> None:
    cadence = Cadence(SACSettings(buffer_size=50_000, buffer_init_steps=8000))
    cadence.wait_for_refill(50_000)
    assert updates_at(cadence, 60_000, 7999) == 0
    updates_at(cadence, 60_001, 8000)
    assert updates_at(cadence, 60_002, 8001) == 1
