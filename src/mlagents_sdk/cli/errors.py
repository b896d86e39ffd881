"""How a command of the SDK ends when something goes wrong."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial

from mlagents_envs.exception import EnvironmentWarning, UnityException

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


def run_command(body: Callable[[], object]) -> int:
    """Run the body of a command, and turn what it raises into messages and an exit code.

    What the user can act on is one line on stderr. Anything else comes with a traceback, because it is
    a fault in somebody's code: an environment's, or ours.

    Returns:
        The exit code: 0, 1 after an error, 130 after Ctrl+C.
    """
    otherwise = warnings.showwarning
    try:
        warnings.showwarning = partial(_show_warning, otherwise)
        body()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (UnityException, OSError) as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return EXIT_ERROR
    except Exception as error:
        traceback.print_exception(error, file=sys.stderr)
        print(f"error: {type(error).__name__}: {_one_line(error)}", file=sys.stderr)
        return EXIT_ERROR
    finally:
        warnings.showwarning = otherwise
    return 0


def _show_warning(
    otherwise: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    *place: object,
    **where: object,
) -> None:
    """A :func:`warnings.showwarning` that leaves out file and line for what concerns an environment."""
    if issubclass(category, EnvironmentWarning):
        print(f"warning: {message}", file=sys.stderr)
    else:
        otherwise(message, category, *place, **where)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
