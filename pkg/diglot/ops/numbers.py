"""One spelling for numbers."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from diglot.sql.types import decimal_text


def real(value: Any) -> Any:
    """A float; text for NaN and the infinities, which JSON does not have. Negative zero becomes zero."""
    number = float(value)
    return number + 0.0 if math.isfinite(number) else str(number)


def plain_digits(value: Any) -> str:
    """The digits of a decimal number: ``1.50`` and ``1.5`` are ``1.5``, ``1E+2`` is ``100``."""
    number = Decimal(str(value))
    if not number.is_finite():
        return str(number)
    return decimal_text(number)
