"""Nested blocks, released and rolled back in every order: what the blocks that ended well did is stored, nothing else.

The calls that the blocks make open a savepoint of their own inside of the block's. A model, a dataclass that a block
copies and a rollback throws away, says what has to be in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest

from diglot.errors import TransactionError
from diglot.statestore.database import Database
from diglot.statestore.errors import EmailExists, LastAdmin
from diglot.statestore.models import IssuedKey, TaskState, UsageEntry, WorkflowState

ENDS = ("released", "raised", "failed", "caught")
"""How a block ends: well; by an exception of the caller's; by a statement that fails; by one whose error is caught."""


class Boom(Exception):
    pass


@dataclass(frozen=True)
class Model:
    """What is stored."""

    workflow_tokens: int = 0
    task_tokens: int = 0
    keys: frozenset[str] = frozenset()
    secret: str = ""
    users: frozenset[str] = frozenset()


@dataclass
class World:
    """A database, what its calls are about, and the model of what is in it."""

    db: Database
    owner: str
    key: str
    model: Model
    calls: int = 0
    spare: list[str] = field(default_factory=list)

    def call(self, tx: Any) -> None:
        """The next of the calls that open a savepoint of their own."""
        model = self.model
        self.calls += 1
        which = self.calls % 6
        if which == 0:
            tx.workflows.merge_usage("w", [UsageEntry("p", "m", 1)])
            self.model = replace(model, workflow_tokens=model.workflow_tokens + 1)
        elif which == 1:
            tx.tasks.merge_usage("t", [UsageEntry("p", "m", 1)])
            self.model = replace(model, task_tokens=model.task_tokens + 1)
        elif which == 2:
            issued: IssuedKey = tx.api_keys.issue(self.owner)
            self.model = replace(model, keys=model.keys | {issued.api_key.id})
        elif which == 3:
            self.model = replace(model, secret=tx.api_keys.rotate(self.key).secret)
        elif which == 4:
            gone = min(model.users - {self.owner})
            tx.users.delete(gone)
            self.model = replace(model, users=model.users - {gone})
        else:  # the call's own savepoint is rolled back
            with pytest.raises(LastAdmin):
                tx.users.delete(self.owner)

    def check(self) -> None:
        db, model = self.db, self.model
        assert sum(entry.prompt_tokens for entry in db.workflows.get("w").usage or []) == model.workflow_tokens
        assert sum(entry.prompt_tokens for entry in db.tasks.usage("t")) == model.task_tokens
        assert {key.id for key in db.api_keys.list(self.owner, limit=1000).items} == model.keys
        assert {user.id for user in db.users.list(limit=1000).items} == model.users
        assert db.api_keys.authenticate(model.secret).id == self.owner


@pytest.fixture
def world(db: Database) -> World:
    db.workflows.upsert(WorkflowState("w", "flow", "RUNNING"))
    db.tasks.upsert(TaskState("w", "t", "one", "flow", "task", "RUNNING"))
    owner, issued = db.users.create_first_admin("owner@x.org")
    others = [db.users.create(f"user{number}@x.org").id for number in range(80)]
    model = Model(0, 0, frozenset({issued.api_key.id}), issued.secret, frozenset({owner.id, *others}))
    return World(db, owner.id, issued.api_key.id, model)


@contextmanager
def block(world: World, outside: Any, end: str) -> Iterator[Any]:
    """A block that ends so; in the model too. Its exception does not leave it."""
    before = world.model
    raises = {
        "released": nullcontext(),
        "raised": pytest.raises(Boom),
        "failed": pytest.raises(EmailExists),
        "caught": pytest.raises(TransactionError, match="was rolled back: a statement in it failed"),
    }[end]
    with raises, outside.transaction() as inside:  # type: ignore[attr-defined]
        yield inside
        if end == "raised":
            raise Boom
        if end == "failed":
            inside.users.create("owner@x.org")
        if end == "caught":
            with pytest.raises(EmailExists):
                inside.users.create("owner@x.org")
            with pytest.raises(TransactionError, match="roll back first"):
                inside.workflows.merge_usage("w", [])
    if end != "released":
        world.model = before


WRITES: dict[str, Callable[[int], bool]] = {
    "none": lambda _: False,
    "all": lambda _: True,
    "before": lambda place: place == 0,
    "after": lambda place: place == 1,
}
"""Where a block calls something: before (0) or after (1) the block inside of it."""


@pytest.mark.parametrize("where", WRITES)
def test_three_levels_end_in_every_way(world: World, where: str) -> None:
    writes = WRITES[where]

    def level(outside: Any, ends: tuple[str, ...]) -> None:
        with block(world, outside, ends[0]) as inside:
            if writes(0):
                world.call(inside)
            if len(ends) > 1:
                level(inside, ends[1:])
            if writes(1):
                world.call(inside)

    for ends in product(ENDS, repeat=3):
        with world.db.transaction() as tx:
            if where == "all":
                world.call(tx)
            level(tx, ends)
            world.call(tx)
        world.check()


@pytest.mark.parametrize("depth", [1, 2])
def test_one_block_after_the_other_ends_in_every_way(world: World, depth: int) -> None:
    """Three blocks in a row, each inside of ``depth - 1`` others that are still open."""
    for ends in product(ENDS, repeat=3):
        for outer in ("released", "failed")[:depth]:
            with world.db.transaction() as tx:
                around = block(world, tx, outer) if depth == 2 else nullcontext(tx)
                with around as outside:
                    for number, end in enumerate(ends):
                        with block(world, outside, end) as inside:
                            if number != 1:  # the one in the middle is empty
                                world.call(inside)
                world.call(tx)
            world.check()


@pytest.mark.parametrize("end", ENDS)
def test_the_transaction_itself_ends_in_every_way(world: World, end: str) -> None:
    for first, second in product(ENDS, repeat=2):
        with block(world, world.db, end) as tx, block(world, tx, first) as outer:
            world.call(outer)
            with block(world, outer, second) as inner:
                world.call(inner)
        world.check()


def test_a_batch_that_fails_is_undone_with_its_block(world: World) -> None:
    bad = [
        TaskState("w", "new", "one", "flow", "task", "RUNNING"),
        TaskState("nowhere", "t2", "x", "flow", "task", "RUNNING"),
    ]
    with world.db.transaction() as tx:
        for _ in range(3):
            with pytest.raises(Exception, match="does not exist"), tx.transaction() as inner:
                inner.tasks.upsert_many(bad)
            world.call(tx)
    world.check()
    assert [task.task_exec_id for task in world.db.tasks.list().items] == ["t"]
