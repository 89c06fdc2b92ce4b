"""Points in time from text, including years beyond Python's datetime and SQLite's shortened forms."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_INSTANT = re.compile(
    r"(?P<year>\d{4,6})(?:-(?P<month>\d\d))?(?:-(?P<day>\d\d))?"
    r"(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d))?(?::(?P<second>\d\d))?(?:\.(?P<fraction>\d{1,6})\d*)?)?"
    r"\s*(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?"
)


def instant(text: str) -> str:
    """``0001-01-01T00:00:00.000000Z`` for ``0001`` or ``0001-01-01 00:00:00+00``; any other text as it is."""
    found = _INSTANT.fullmatch(text.strip())
    if found is None:
        return text.strip().lower()
    month, day = found["month"] or "01", found["day"] or "01"
    hour, minute, second = found["hour"] or "00", found["minute"] or "00", found["second"] or "00"
    fraction = (found["fraction"] or "").ljust(6, "0")
    zone = found["zone"] or "Z"
    if zone != "Z" and zone.strip("+-0:") and len(found["year"]) == 4:
        hours, minutes = int(zone[1:3]), int(zone.replace(":", "")[3:5] or 0)
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
        try:
            moment = datetime.fromisoformat(f"{found['year']}-{month}-{day}T{hour}:{minute}:{second}.{fraction}")
            return f"{(moment - offset).isoformat(timespec='microseconds')}Z"
        except (ValueError, OverflowError):
            return text.strip().lower()
    return f"{found['year']}-{month}-{day}T{hour}:{minute}:{second}.{fraction}Z"
