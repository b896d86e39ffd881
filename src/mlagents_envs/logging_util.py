"""Loggers of the package: one line per message on standard output, one level for all of them.

Typical use::

    logger = logging_util.get_logger(__name__)
    logging_util.set_log_level(logging_util.INFO)
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TextIO

CRITICAL = logging.CRITICAL
FATAL = logging.FATAL
ERROR = logging.ERROR
WARNING = logging.WARNING
INFO = logging.INFO
DEBUG = logging.DEBUG
NOTSET = logging.NOTSET

_PLAIN_FORMAT = "[%(levelname)s] %(message)s"
_DEBUG_FORMAT = "%(asctime)s %(levelname)s [%(filename)s:%(lineno)d] %(message)s"


class _StdoutHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever ``sys.stdout`` is at the moment of the message, so redirection works."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self._complained = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name of the base class
        """Report that messages cannot be written, once, unless nobody reads any more (a closed pipe)."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not isinstance(error, BrokenPipeError) and not self._complained:
            self._complained = True
            print(f"warning: messages are lost, standard output: {error.strerror}", file=sys.stderr)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # a property instead of an attribute
        """The current standard output."""
        return sys.stdout


_lock = threading.Lock()
_handler = _StdoutHandler()
_handler.setFormatter(logging.Formatter(fmt=_PLAIN_FORMAT))
_loggers: dict[str, logging.Logger] = {}
_log_level = NOTSET


def get_logger(name: str) -> logging.Logger:
    """Logger that writes to standard output at the level of :func:`set_log_level`.

    Calling it again with the same name returns the same logger, still with a single handler. Messages
    do not propagate to the root logger, which would print them twice where it has a handler too.

    Args:
        name: usually ``__name__`` of the module.
    """
    with _lock:
        logger = _loggers.get(name)
        if logger is None:
            logger = logging.getLogger(name)
            logger.addHandler(_handler)
            logger.propagate = False
            _loggers[name] = logger
            if _log_level != NOTSET:
                logger.setLevel(_log_level)
    return logger


def set_log_level(log_level: int) -> None:
    """Set the level of all loggers, those of the future included.

    At ``DEBUG`` every line carries time, file and line number.

    Args:
        log_level: one of the constants of this module.
    """
    global _log_level
    with _lock:
        _log_level = log_level
        _handler.setFormatter(logging.Formatter(_DEBUG_FORMAT if log_level == DEBUG else _PLAIN_FORMAT))
        for logger in _loggers.values():
            logger.setLevel(log_level)
