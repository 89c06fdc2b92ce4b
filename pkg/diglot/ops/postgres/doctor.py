"""What the doctor looks at in a PostgreSQL database: the connection's schema, and of the server what can be seen."""

from __future__ import annotations

from collections.abc import Iterator

from diglot.ops.doctor import Check, Finding, Limits
from diglot.ops.statements import statement
from diglot.stores.session import Row, Store


def checks(store: Store, deep: bool, limits: Limits) -> Iterator[Check]:
    """Each check with its name, in the order in which they are shown."""
    yield "reachable", lambda: _health(store, "reachable")
    yield "version", lambda: _health(store, "version")
    yield "writable", lambda: _health(store, "writable")
    yield "page_checksums", lambda: _page_checksums(store)
    yield "indexes", lambda: _indexes(store)
    if deep:
        yield "integrity", lambda: _integrity(store)
    yield "constraints", lambda: _constraints(store)
    yield "transactions", lambda: _transactions(store, limits)
    yield "connections", lambda: _connections(store)
    yield "transaction_ids", lambda: _transaction_ids(store)
    yield "dead_rows", lambda: _dead_rows(store)
    yield "statistics", lambda: _statistics(store)
    yield "disk_space", lambda: Finding("disk_space", "unknown", "a server does not tell: look at its machine")


def _rows(store: Store, name: str) -> list[Row]:
    return store.rows(statement("postgres", name))


def _health(store: Store, name: str) -> Finding:
    found = {check.name: check for check in store.health(deep=False).checks}
    check = found.get(name)
    if check is None:
        return Finding(name, "unknown", "the database can't be reached")
    return Finding(name, "ok" if check.ok else "wrong", check.detail)


def _page_checksums(store: Store) -> Finding:
    ((on,),) = _rows(store, "page_checksums")
    if on:
        return Finding("page_checksums", "ok", "on")
    return Finding("page_checksums", "warning", "off: damage on the disk is not noticed", "pg_checksums --enable")


def _indexes(store: Store) -> Finding:
    found = [name for (name,) in _rows(store, "invalid_indexes")]
    if found:
        return Finding("indexes", "wrong", f"invalid: {', '.join(found)}", f"reindex index concurrently {found[0]}")
    return Finding("indexes", "ok", "all valid")


def _integrity(store: Store) -> Finding:
    ((has,),) = _rows(store, "has_amcheck")
    if not has:
        return Finding("integrity", "unknown", "the extension amcheck is not installed", "create extension amcheck")
    return Finding("integrity", "ok", f"amcheck: {_rows(store, 'amcheck')[0][0]} indexes")


def _constraints(store: Store) -> Finding:
    found = _rows(store, "unvalidated_constraints")
    if found:
        table, name = found[0]
        names = ", ".join(name for _, name in found)
        fix = f"alter table {table} validate constraint {name}"
        return Finding("constraints", "wrong", f"not validated: {names}", fix)
    return Finding("constraints", "ok", "all validated")


def _transactions(store: Store, limits: Limits) -> Finding:
    found = store.rows(statement("postgres", "long_transactions"), (limits.open, limits.idle))
    if found:
        pid, state, minutes, application = found[0]
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        detail = f"process {pid} ({application or 'unnamed'}, {state}) for {minutes} minutes{more}"
        return Finding("transactions", "warning", detail, f"select pg_terminate_backend({pid})")
    return Finding("transactions", "ok", "none is open for long")


def _connections(store: Store) -> Finding:
    ((used, most),) = _rows(store, "connections")
    detail = f"{used} of {most}"
    if used > 0.9 * most:
        return Finding("connections", "warning", detail, "use a connection pooler, or raise max_connections")
    return Finding("connections", "ok", detail)


def _transaction_ids(store: Store) -> Finding:
    ((age,),) = _rows(store, "transaction_ids")
    detail = f"the oldest is {age:,} behind"
    if age > 1_500_000_000:
        return Finding("transaction_ids", "wrong", detail, "vacuum freeze")
    return Finding("transaction_ids", "ok", detail)


def _dead_rows(store: Store) -> Finding:
    found = _rows(store, "dead_rows")
    if found:
        detail = "; ".join(f"{table}: {dead:,} dead of {dead + live:,} rows" for table, dead, live in found)
        return Finding("dead_rows", "warning", detail, "diglot optimize --vacuum")
    return Finding("dead_rows", "ok", "few")


def _statistics(store: Store) -> Finding:
    found = [table for (table,) in _rows(store, "without_statistics")]
    if found:
        return Finding("statistics", "warning", f"never analyzed: {', '.join(found)}", "diglot optimize")
    return Finding("statistics", "ok", "of every table")
