"""API keys: issued once, stored as a hash, found with one indexed lookup."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from diglot.errors import DatabaseError, ForeignKeyViolation, InvalidValue, UniqueViolation
from diglot.sql.encoding import encode_timestamp
from diglot.sql.session import Session
from diglot.statestore.errors import ApiKeyExpired, ApiKeyNotFound, InvalidApiKey, UserNotFound
from diglot.statestore.models import ApiKey, IssuedKey, Page, User
from diglot.statestore.repositories import key_format
from diglot.statestore.repositories.base import Context, page_parameters
from diglot.statestore.repositories.paging import DEFAULT_LIMIT, page, position
from diglot.statestore.repositories.validation import check_id, check_name

TOUCH_INTERVAL = timedelta(minutes=1)
_PREFIX_ATTEMPTS = 5
_NO_HASH = bytes(32)

log = logging.getLogger("diglot.api_keys")


class KnownKey(NamedTuple):
    """A valid key: its user, and whether its time of use is due to be recorded (once per ``TOUCH_INTERVAL``)."""

    id: str
    user: User
    use_due: bool


class ApiKeyRepository:
    """``db.api_keys``"""

    def __init__(self, context: Context) -> None:
        self._session = context.session
        self._keys = context.queries.api_keys
        self._context = context

    def issue(self, user_id: str, name: str | None = None, expires_at: datetime | None = None) -> IssuedKey:
        """Issue a new key to a user; its secret is in the result and nowhere else.

        Raises UserNotFound, or InvalidValue for an ``expires_at`` that is not in the future.
        """
        owner, name = check_id(user_id, "user_id"), check_name(name)
        now = self._context.clock()
        if expires_at is not None and encode_timestamp(expires_at, "expires_at") <= now:
            raise InvalidValue("expires_at", f"{expires_at.isoformat()} is not in the future")

        def insert(session: Session, hash: bytes, prefix: str) -> ApiKey | None:
            id = self._context.new_id()
            return self._keys.create_api_key(
                session, id=id, user_id=owner, hash=hash, prefix=prefix, name=name, now=now, expires_at=expires_at
            )

        try:
            return self._with_new_secret(insert, user_id)
        except ForeignKeyViolation as error:
            raise UserNotFound(user_id) from error

    def authenticate(self, secret: str) -> User:
        """The user that a key belongs to.

        Raises InvalidApiKey, always the same, for a key that is malformed, unknown, revoked or expired. The time of use
        is recorded at most once a minute; if that fails, authentication still succeeds.
        """
        known = self.identify(secret)
        if known.use_due:
            self.note_use(known.id)
        return known.user

    def identify(self, secret: str) -> KnownKey:
        """Like ``authenticate``, with one query and no write: for callers that record the use with ``note_use``."""
        if not key_format.is_well_formed(secret):
            raise InvalidApiKey
        digest = key_format.hash_key(secret)
        found = self._keys.find_api_key(self._session, hash=digest)
        now = self._context.clock()
        # The same comparisons for an existing key and for an unknown key.
        matches = hmac.compare_digest(found.hash if found else _NO_HASH, digest)
        expires_at = found.expires_at if found else None
        expired = expires_at is not None and expires_at <= now
        if found is None or not matches or expired:
            raise InvalidApiKey
        use_due = found.last_used is None or now - found.last_used >= TOUCH_INTERVAL
        return KnownKey(found.key_id, found.user, use_due)

    def note_use(self, id: str) -> None:
        """Record that a key is used now, unless it was recorded less than a minute ago; a failure is only logged."""
        now = self._context.clock()
        try:
            if not self._session.in_transaction:
                self._keys.touch_api_key(self._session, id=id, now=now, before=now - TOUCH_INTERVAL)
                return
            with self._session.transaction() as savepoint:
                self._keys.touch_api_key(savepoint, id=id, now=now, before=now - TOUCH_INTERVAL)
        except DatabaseError as error:
            log.warning("the time of use of key %s could not be recorded: %s", id, error)

    def get(self, id: str) -> ApiKey:
        """What is known about a key. Raises ApiKeyNotFound."""
        return _found(self._keys.get_api_key(self._session, id=check_id(id, "id")), id)

    def list(self, user_id: str, limit: int = DEFAULT_LIMIT, after: str | None = None) -> Page[ApiKey]:
        """One page of a user's keys, newest first: never the secret, never the hash."""
        limit, ask = page_parameters(limit)
        owner, (created_at, key_id) = check_id(user_id, "user_id"), position(after)
        keys = self._keys.list_api_keys(
            self._session, user_id=owner, limit=ask, after_created_at=created_at, after_id=key_id
        )
        return page(keys, limit, lambda key: (key.created_at, key.id))

    def revoke(self, id: str) -> None:
        """Delete a key: it stops working at once. Raises ApiKeyNotFound."""
        if not self._keys.delete_api_key(self._session, id=check_id(id, "id")):
            raise ApiKeyNotFound(id)

    def rotate(self, id: str) -> IssuedKey:
        """Give a key a new secret; the old one stops working at once. Its name and expiry stay.

        Raises ApiKeyNotFound, or ApiKeyExpired, because the new secret would not be valid either.
        """
        check_id(id, "id")
        now = self._context.clock()

        def replace(session: Session, hash: bytes, prefix: str) -> ApiKey | None:
            rotated = self._keys.rotate_api_key(session, id=id, now=now, hash=hash, prefix=prefix)
            if rotated is None:
                found = _found(self._keys.get_api_key(session, id=id), id)
                until = found.expires_at.isoformat(timespec="seconds") if found.expires_at else "just now"
                raise ApiKeyExpired(f"API key {id!r} expired at {until}: issue a new one")
            return rotated

        return self._with_new_secret(replace, id)

    def _with_new_secret(self, store: Callable[[Session, bytes, str], ApiKey | None], key: str) -> IssuedKey:
        """Stores a new secret. The prefix is unique: if it is taken (1 in 500 at a million keys), it tries another."""
        for attempt in range(1, _PREFIX_ATTEMPTS + 1):
            secret = key_format.make_key(self._context.random(key_format.RANDOM_BYTES))
            hash, prefix = key_format.hash_key(secret), key_format.prefix(secret)
            try:
                if not self._session.in_transaction:
                    return IssuedKey(secret, _found(store(self._session, hash, prefix), key))
                with self._session.transaction() as savepoint:
                    return IssuedKey(secret, _found(store(savepoint, hash, prefix), key))
            except UniqueViolation:
                if attempt == _PREFIX_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")  # pragma: no cover


def _found(key: ApiKey | None, id: str) -> ApiKey:
    if key is None:
        raise ApiKeyNotFound(id)
    return key
