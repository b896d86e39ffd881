from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from mlagents_envs import logging_util


@pytest.fixture(autouse=True)
def restored_level() -> Iterator[None]:
    yield
    logging_util.set_log_level(logging_util.NOTSET)


def test_messages_are_one_line_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    logging_util.set_log_level(logging_util.INFO)
    logger = logging_util.get_logger("test_logging.plain")
    logger.info("hello %d", 3)
    logger.debug("not shown")
    captured = capsys.readouterr()
    assert captured.out == "[INFO] hello 3\n"
    assert captured.err == ""


def test_asking_twice_does_not_print_twice(capsys: pytest.CaptureFixture[str]) -> None:
    first = logging_util.get_logger("test_logging.twice")
    assert logging_util.get_logger("test_logging.twice") is first
    assert len(first.handlers) == 1
    first.error("once")
    assert capsys.readouterr().out.count("once") == 1


def test_the_level_holds_for_loggers_of_the_past_and_the_future(capsys: pytest.CaptureFixture[str]) -> None:
    past = logging_util.get_logger("test_logging.past")
    logging_util.set_log_level(logging_util.ERROR)
    future = logging_util.get_logger("test_logging.future")
    for logger in (past, future):
        logger.warning("quiet")
        logger.error("loud")
    assert capsys.readouterr().out == "[ERROR] loud\n" * 2
    assert logging.getLogger().level != logging_util.ERROR


def test_debug_messages_say_where_they_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    logging_util.set_log_level(logging_util.DEBUG)
    logging_util.get_logger("test_logging.debug").debug("detail")
    line = capsys.readouterr().out
    assert "DEBUG [test_envs_logging.py:" in line
    assert line.endswith("detail\n")
    assert line[:4].isdigit()
