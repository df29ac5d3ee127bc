"""Why the stack cannot start or go on, for a person."""


class RunError(Exception):
    """The stack cannot start, or cannot go on; the message is the one line a person reads."""

    exit_code = 1


class UsageError(RunError):
    """What was asked for cannot be done; asking for something else can."""

    exit_code = 2
