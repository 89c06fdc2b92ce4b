"""What a query must return to fit ``-- returns:``: the columns of the model, or the one value of a type."""

from __future__ import annotations

from diglot.sql.header import BASE_TYPES, QuerySource
from diglot.sql.models import Column, Columns, Models, row_model


def wanted(source: QuerySource, models: Models | None) -> Columns | None:
    """The columns that the header and the model require; None if the model is not known."""
    if source.returns is None:
        return None
    if source.returns in BASE_TYPES:
        return Columns((Column(None, source.returns, source.returns_nullable),), (1,))
    model = (models or {}).get(source.returns)
    return None if model is None or models is None else row_model(model, models).columns
