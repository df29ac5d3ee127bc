"""What can be wrong with an export; each error is one line to read."""

from __future__ import annotations


class ExportError(Exception):
    """The export cannot be made; the message is the one line a person reads."""


class UsageError(ExportError):
    """What was asked for cannot be done; asking for something else can."""


class BadCheckpoint(ExportError):
    """The checkpoint `where` (a folder or an id) is not one that can be exported: `reason`."""

    def __init__(self, where: object, reason: str) -> None:
        super().__init__(f"{where} {reason}")


class UnsupportedModel(ExportError):
    """The model or its tokenizer is not one that this export can write."""


class HubError(ExportError):
    """The Hugging Face hub did not give what was asked for."""


def first_line(error: BaseException) -> str:
    """The first line of a foreign error that has something on it; its class if none has."""
    lines = [" ".join(line.split()) for line in str(error).splitlines()]
    return next((line for line in lines if line), type(error).__name__)
