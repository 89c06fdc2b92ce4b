"""However few descriptors the process has left, a store answers or raises an error of ours, and recovers."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from diglot.errors import DiglotError
from diglot.sql.session import Statement
from diglot.stores import open_store
from diglot.stores.url import parse_url

ONE = Statement("t", "select 1")
WRITE = Statement("t", "insert into t values (1)", writes=True)


@contextmanager
def descriptors(left: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = [os.open(os.devnull, os.O_RDONLY)]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (opened[0] + 50, hard))
        try:
            while True:
                opened.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            for descriptor in opened[-left:] if left else []:
                os.close(opened.pop(opened.index(descriptor)))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in opened:
            os.close(descriptor)


def test_few_descriptors(database_url: str) -> None:
    settings = parse_url(database_url)
    with open_store(settings) as store:
        store.script(Statement("t", "create table t (x bigint)", writes=True))
        refused = 0
        for left in range(12):
            with descriptors(left):
                try:
                    with open_store(settings) as other:
                        other.rows(ONE)
                except DiglotError as error:
                    refused += 1
                    assert "\n" not in str(error)
                try:
                    store.count(WRITE)
                    store.health(deep=False)
                    store.statistics()
                except DiglotError as error:
                    assert "\n" not in str(error)
        assert refused >= (0 if store.location == ":memory:" else 1)
        assert store.rows(ONE) == [(1,)]
        store.count(WRITE)
        assert store.health().ok
