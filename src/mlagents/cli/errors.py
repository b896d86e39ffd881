"""How a command ends when something goes wrong.

What the user can act on is one line (or a few) on stderr. A traceback means a bug: of ours, or of the
environment, and then the line below it says so.
"""

from __future__ import annotations

import errno
import os
import select
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence

from mlagents.settings.errors import (
    EnvironmentFailure,
    TrainerConfigError,
    TrainerConfigWarning,
    TrainerError,
)
from mlagents.settings.memory import ADVICE, is_out_of_memory, memory_text
from mlagents_envs.exception import EnvironmentWarning, UnityException
from mlagents_envs.files import FULL_DISK

DEBUG = "--debug"
ENV_ARGS = "--env-args"

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130

USER_ERRORS = (TrainerConfigError, TrainerError, UnityException)

FILE_SYSTEM_ERRORS = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.EFBIG,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""Conditions of the user's disk and folders, as opposed to mistakes in our use of them."""


def debug_requested(argv: Sequence[str]) -> bool:
    """Whether ``--debug`` stands among the options, found even when the rest cannot be parsed."""
    for argument in argv:
        flag = argument.partition("=")[0]
        if len(flag) > len("--env") and ENV_ARGS.startswith(flag):
            return False
        if len(flag) > len("--de") and DEBUG.startswith(flag):
            return True
    return False


def run_command(body: Callable[[], int], *, debug: bool = False) -> int:
    """Run the body of a command, and turn what it raises into messages and an exit code.

    ``TrainerConfigWarning`` and ``EnvironmentWarning`` are printed as one line while the body runs. A
    KeyboardInterrupt that the body did not handle itself gives 130. Where whatever read our output has
    stopped reading, as ``head`` does, nobody is told anything.

    Args:
        body: returns the exit code.
        debug: print tracebacks of users' mistakes too.

    Returns:
        The exit code: that of ``body``, or 1 after an error.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", TrainerConfigWarning)
        warnings.showwarning = _show_warning(warnings.showwarning)
        try:
            code = body()
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return EXIT_INTERRUPTED
        except Exception as error:
            if not (isinstance(error, BrokenPipeError) and _give_up_closed_output()) or debug:
                _report(error, debug)
            return EXIT_ERROR


def user_message(error: Exception) -> str | None:
    """What the user can act on, a line per problem; None where the error is a bug of ours."""
    if isinstance(error, USER_ERRORS):
        return str(error) or type(error).__name__
    if isinstance(error, BrokenPipeError):
        return "whatever read our output, or a worker, is gone (broken pipe); --debug shows which"
    if isinstance(error, OSError) and error.errno in FILE_SYSTEM_ERRORS:
        place = f"{os.fspath(error.filename)}: " if isinstance(error.filename, str | os.PathLike) else ""
        advice = "; make room there, or choose another place" if error.errno in FULL_DISK else ""
        return f"{place}{error.strerror}{advice}"
    if is_out_of_memory(error):
        return f"There is not enough memory ({memory_text(error)}). {ADVICE}"
    return None


def _report(error: Exception, debug: bool) -> None:
    message = user_message(error)
    if message is None or debug:
        traceback.print_exception(error, file=sys.stderr)
    elif isinstance(error, EnvironmentFailure) and error.__cause__ is not None:
        traceback.print_exception(error.__cause__, file=sys.stderr)
    if message is None:
        print(
            "error: this is a bug in Open ML-Agents; please report it with the lines above and the command",
            file=sys.stderr,
        )
        return
    for line in message.splitlines():
        print(f"error: {line}", file=sys.stderr)


def _give_up_closed_output() -> bool:
    """Whether nobody reads our standard output any more; what is still printed then goes nowhere."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        closed = any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
        if closed:  # what is left in the buffer would fail once more when the process ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):  # no poll() on Windows; no file behind the stream
        return False
    return closed


def _show_warning(otherwise: Callable[..., None]) -> Callable[..., None]:
    """A :func:`warnings.showwarning` that leaves out file and line for what concerns the user's files."""

    def show(message: Warning | str, category: type[Warning], *place: object, **where: object) -> None:
        if issubclass(category, (TrainerConfigWarning, EnvironmentWarning)):
            print(f"warning: {message}", file=sys.stderr)
        else:
            otherwise(message, category, *place, **where)

    return show
