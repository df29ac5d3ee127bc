"""Makes the lines of the logger "clipsearch" appear wherever the function runs."""

import logging


def show_log() -> None:
    """Called on every event, in the worker: the framework sets logging up, or not, by itself.

    With LOG_EXECUTION_ID, as in the cloud, it gives the root logger a handler and the level
    WARNING; without, there is no handler at all.
    """
    log = logging.getLogger("clipsearch")
    log.setLevel(logging.INFO)
    if not log.hasHandlers():
        log.addHandler(logging.StreamHandler())
