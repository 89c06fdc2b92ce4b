"""The rows that the queries give: fields in the order of the columns."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Customer(msgspec.Struct, frozen=True):
    """Who orders."""

    id: str
    email: str
    created_at: datetime


class Order(msgspec.Struct, frozen=True):
    """What was ordered."""

    id: str
    customer_id: str
    status: str
    total_cents: int
    placed_at: datetime
    note: str | None


class Revenue(msgspec.Struct, frozen=True):
    """What the orders that were paid came to."""

    orders: int
    total_cents: int
