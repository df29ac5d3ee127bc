"""Parses and writes the dates and times of `after` and `before`."""

import re
from datetime import datetime, timedelta

from search.engine.criteria import Time
from search.engine.errors import BadQuery, quoted

_TIME = re.compile(
    r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(?P<fraction>\.\d{1,9})?)?(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_FIRST = "0001-01-01T00:00:00"  # completes a date
_EPOCH = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)


def time_of(text: str, where: str) -> Time:
    """Parse a year, a month, a day or a time. A time with a zone is an instant. Raises BadQuery."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise _bad(text, where)
    zone, fraction = found["zone"] or "", found["fraction"] or ""
    local = text.removesuffix(zone).removesuffix(fraction)
    try:
        moment = datetime.fromisoformat(local + _FIRST[len(local) :] + zone)
        naive = moment.replace(tzinfo=None) - (moment.utcoffset() or timedelta(0))
        if fraction.strip(".0"):  # dates are whole seconds: those from 0.5 on are those from 1 on
            naive += _SECOND
    except (ValueError, OverflowError) as error:  # no such day, hour or year
        raise _bad(text, where) from error
    return Time((naive - _EPOCH) // _SECOND, bool(zone))


def text_of(time: Time) -> str:
    """A text that time_of reads as `time`."""
    moment = _EPOCH + time.seconds * _SECOND
    if time.is_instant:
        return f"{moment.isoformat()}Z"
    return moment.date().isoformat() if time.seconds % 86_400 == 0 else moment.isoformat()


def _bad(text: str, where: str) -> BadQuery:
    hint = "; write + as %2B in a URL" if " " in text else ""
    return BadQuery(
        f"{where} must be a date or time such as 2023, 2023-07-14 or 2023-07-14T18:00+02:00, "
        f"not {quoted(text)}{hint}"
    )
