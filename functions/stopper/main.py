"""Entry point `stopper`: a message of a budget in; if the budget is used up, nobody calls `search`.

It never touches the number of instances: a maximum of 0 would mean "unset", so that there would be
no limit at all. `ingest` goes on, because an event that it misses for a day is lost.
Imports nothing heavy: the framework imports this module before it forks.
"""

import logging
import os
from typing import Any

import flask
import functions_framework

from clipsearch import telemetry
from stopper.access import Service
from stopper.budget import Malformed, parse_spending

# The service to close: projects/PROJECT/locations/REGION/services/NAME.
SERVICE = "STOPPER_SERVICE"


@functions_framework.cloud_event
def stopper(event: Any) -> None:
    """Close the service if the budget is used up.

    Cloud Billing sends its messages several times a day, whether or not anything has changed, and
    Pub/Sub may deliver one twice: closing a closed service changes nothing.
    Raises what must be tried again.
    """
    telemetry.begin(flask.request.headers)
    try:
        spending = parse_spending(event.data)
    except Malformed as error:
        # answered all the same: each retry would fail, too
        telemetry.write(logging.ERROR, f"budget: {error}", kind="budget", outcome="malformed")
        return
    outcome, level = "within the budget", logging.INFO
    if spending.is_used_up:
        service = Service(os.environ[SERVICE])
        removed = service.close()
        outcome, level = "already closed", logging.INFO
        if removed:
            outcome, level = f"closed {service.name} for {', '.join(removed)}", logging.ERROR
    telemetry.write(
        level,
        f"budget {spending.budget!r}: {outcome}; spent {spending.cost:.2f} of "
        f"{spending.amount:.2f} {spending.currency}",
        kind="budget",
        outcome=outcome,
        budget=spending.budget,
        cost=spending.cost,
        amount=spending.amount,
        currency=spending.currency,
    )
