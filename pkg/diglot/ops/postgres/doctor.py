"""What the doctor checks in a PostgreSQL database: the connection's schema, and what it can see of the server."""

from __future__ import annotations

from diglot.errors import DatabaseDamaged, DatabaseError
from diglot.ops.doctor import RESTORE, Checks, Finding, Look
from diglot.ops.statements import statement
from diglot.sql.identifiers import quoted
from diglot.sql.session import Row, Statement

_SHOWN = 3


def _rows(look: Look, name: str) -> list[Row]:
    return look.store.rows(statement("postgres", name))


def _reachable(look: Look) -> Finding:
    found = _health(look, "reachable")
    if found.state == "ok" and _rows(look, "current_schema") == [(None,)]:
        detail = "the connection has no schema: no schema of its search_path exists, or this role may not use it"
        return Finding("reachable", "wrong", detail, "create schema …, or grant usage on schema … to this role")
    return found


def _version(look: Look) -> Finding:
    return _health(look, "version")


def _writable(look: Look) -> Finding:
    return _health(look, "writable")


def _health(look: Look, name: str) -> Finding:
    found = {check.name: check for check in look.store.health(deep=False).checks}
    check = found.get(name)
    if check is None:
        return Finding(name, "unknown", "the database can't be reached")
    return Finding(name, "ok" if check.ok else "wrong", check.detail)


def _page_checksums(look: Look) -> Finding:
    ((on, failures),) = _rows(look, "page_checksums")
    if failures:
        return Finding("page_checksums", "wrong", f"{failures:,} pages were read with a wrong checksum", RESTORE)
    if on:
        return Finding("page_checksums", "ok", "on")
    fix = "stop the server, then pg_checksums --enable"
    return Finding("page_checksums", "warning", "off: damage on the disk goes unnoticed", fix)


def _indexes(look: Look) -> Finding:
    found = _rows(look, "invalid_indexes")
    failed = [(name, partitioned) for name, partitioned, building in found if not building]
    if not failed:
        building = f", {len(found)} being built" if found else ""
        return Finding("indexes", "ok", f"all valid{building}")
    name, partitioned = failed[0]
    fix = f"drop index {quoted(name)}, and create it again once no rows violate it"
    if partitioned:
        fix = f"attach an index of each partition: alter index {quoted(name)} attach partition …"
    return Finding("indexes", "wrong", f"invalid: {_listed([name for name, _ in failed])}", fix)


def _integrity(look: Look) -> Finding:
    """Checks each index and each table separately, to name everything that is damaged."""
    ((schema, allowed),) = _rows(look, "amcheck") or ((None, False),)
    if schema is None:
        return Finding("integrity", "unknown", "the extension amcheck is not installed", "create extension amcheck")
    if not allowed:
        fix = f"grant execute on all functions in schema {quoted(schema)} to this role"
        return Finding("integrity", "unknown", "this role may not use amcheck", fix)
    damaged, unread, looked = [], [], 0
    for number, name, kind in _rows(look, "checkable"):
        function, more = ("bt_index_check", ", true") if kind == "index" else ("verify_heapam", "")
        text = f"select count(*) from {quoted(schema)}.{function}({number}{more}) as found where found is not null"
        try:
            ((rows,),) = look.store.rows(Statement("ops.doctor", f"/* diglot:ops.doctor */ {text}"))
        except DatabaseDamaged:
            damaged.append((name, kind))
        except DatabaseError as error:
            unread.append(f"{name}: {error}")
        else:
            looked += 1
            if kind == "table" and rows:
                damaged.append((name, kind))
    if damaged:
        fix = RESTORE
        if all(kind == "index" for _, kind in damaged):
            fix = f"reindex index {quoted(damaged[0][0])}"
        return Finding("integrity", "wrong", f"damaged: {_listed([f'{kind} {name}' for name, kind in damaged])}", fix)
    if unread:
        return Finding("integrity", "unknown", f"could not be checked: {_listed(unread)}")
    return Finding("integrity", "ok", f"amcheck: {looked} tables and indexes")


def _constraints(look: Look) -> Finding:
    found = _rows(look, "unvalidated_constraints")
    if found:
        table, name = found[0]
        fix = f"alter table {quoted(table)} validate constraint {quoted(name)}"
        return Finding("constraints", "wrong", f"not validated: {_listed([name for _, name in found])}", fix)
    return Finding("constraints", "ok", "all validated")


def _triggers(look: Look) -> Finding:
    """Disabled triggers; those of a foreign key are how PostgreSQL enforces it."""
    found = _rows(look, "disabled_triggers")
    if found:
        keys = [f"foreign key {key} of {table}" for table, _, key in found if key]
        names = [f"{name} of {table}" for table, name, key in found if not key]
        detail = f"disabled: {_listed([*dict.fromkeys(keys), *names])}"
        return Finding(
            "triggers", "wrong" if keys else "warning", detail, f"alter table {quoted(found[0][0])} enable trigger all"
        )
    return Finding("triggers", "ok", "all enabled")


def _transactions(look: Look) -> Finding:
    found = look.store.rows(statement("postgres", "long_transactions"), (look.limits.open, look.limits.idle))
    if found:
        what, minutes, fix, _ = found[0]
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        return Finding("transactions", "warning", f"{what} for {minutes} minutes{more}", fix)
    ((hidden,),) = _rows(look, "hidden_sessions")
    if hidden:
        detail = f"this role may not see what {hidden} sessions of other roles do"
        return Finding("transactions", "unknown", detail, "grant pg_read_all_stats to this role")
    return Finding("transactions", "ok", "none is open too long")


def _connections(look: Look) -> Finding:
    ((used, most),) = _rows(look, "connections")
    detail = f"{used} of {most}"
    if used > 0.9 * most:
        return Finding("connections", "warning", detail, "use a connection pooler, or raise max_connections")
    return Finding("connections", "ok", detail)


def _transaction_ids(look: Look) -> Finding:
    ((age,),) = _rows(look, "transaction_ids")
    detail = f"the oldest is {age:,} behind"
    if age > 1_500_000_000:
        return Finding("transaction_ids", "wrong", detail, "vacuum freeze")
    return Finding("transaction_ids", "ok", detail)


def _dead_rows(look: Look) -> Finding:
    found = _rows(look, "dead_rows")
    if found:
        detail = "; ".join(f"{table}: {dead:,} dead of {dead + live:,} rows" for table, dead, live in found)
        return Finding("dead_rows", "warning", detail, "diglot optimize --vacuum")
    return Finding("dead_rows", "ok", "few")


def _statistics(look: Look) -> Finding:
    never, stale, hidden = [], [], []
    for table, readable, changed, analyzed in _rows(look, "statistics"):
        if changed:
            stale.append(f"{table} ({changed:,} changes)")
        elif not readable:
            hidden.append(table)
        elif not analyzed:
            never.append(table)
    said = [f"never analyzed: {_listed(never)}"] * bool(never) + [f"out of date: {_listed(stale)}"] * bool(stale)
    if said:
        return Finding("statistics", "warning", "; ".join(said), "diglot optimize")
    if hidden:
        return Finding("statistics", "unknown", f"this role may not read {_listed(hidden)}")
    return Finding("statistics", "ok", "of every table with many rows")


def _disk_space(_look: Look) -> Finding:
    return Finding("disk_space", "unknown", "a server does not report it: look at its machine")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


_CHECKS: Checks = {
    "reachable": _reachable,
    "version": _version,
    "writable": _writable,
    "page_checksums": _page_checksums,
    "indexes": _indexes,
    "integrity": _integrity,
    "constraints": _constraints,
    "triggers": _triggers,
    "transactions": _transactions,
    "connections": _connections,
    "transaction_ids": _transaction_ids,
    "dead_rows": _dead_rows,
    "statistics": _statistics,
    "disk_space": _disk_space,
}


def checks(deep: bool) -> Checks:
    """All checks; ``integrity`` only if ``deep``, because it reads every table and index."""
    return _CHECKS if deep else {name: check for name, check in _CHECKS.items() if name != "integrity"}
