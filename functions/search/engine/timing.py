"""Times of the parts of a request, for the JSON and the Server-Timing header."""

from clipsearch import telemetry

PHASES = ("load", "encode", "search")


class Timing(telemetry.Timing):
    def __init__(self) -> None:
        super().__init__(PHASES)


def server_timing(milliseconds: dict[str, float]) -> str:
    return ", ".join(f"{name};dur={value}" for name, value in milliseconds.items())
