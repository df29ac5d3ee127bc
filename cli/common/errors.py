"""Errors of the commands. Each message is the one line that a person reads."""

from __future__ import annotations

import sys


class RunError(Exception):
    """Something failed: exit code 1."""

    exit_code = 1


class UsageError(RunError):
    """The command cannot do what was asked for, and could do something else: exit code 2."""

    exit_code = 2


def reason_of(error: BaseException) -> str:
    """What went wrong, without Python's error number. An OSError names its file, if any."""
    if not isinstance(error, OSError):
        return str(error) or type(error).__name__
    cause = getattr(error, "reason", None)  # of URLError
    if isinstance(cause, BaseException):
        return reason_of(cause)
    text = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {text}" if error.filename else text


def needs_posix(command: str) -> None:
    """UsageError on Windows. docs/cli.md says what is missing there."""
    if sys.platform == "win32":
        raise UsageError(
            f"clipsearch {command} needs Linux or macOS; on Windows, run it in WSL "
            "(wsl --install). clipsearch search and clipsearch status work here"
        )
