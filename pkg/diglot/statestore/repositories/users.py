"""Users: who has access, and the rules about admins."""

from __future__ import annotations

from diglot.errors import UniqueViolation
from diglot.sql.session import Session
from diglot.statestore.errors import AlreadyBootstrapped, EmailExists, LastAdmin, UserNotFound
from diglot.statestore.models import IssuedKey, Page, Role, User
from diglot.statestore.repositories.api_keys import ApiKeyRepository
from diglot.statestore.repositories.base import Context, always, page_parameters
from diglot.statestore.repositories.paging import DEFAULT_LIMIT, page, position
from diglot.statestore.repositories.validation import check_id, check_role, fold_email, normalise_email


class UserRepository:
    """``db.users``"""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._session = context.session
        self._users = context.queries.users

    def create(self, email: str, role: Role = "user") -> User:
        """Create a user. Raises EmailExists if the address is taken, in any case."""
        return _create(self._context, normalise_email(email), check_role(role))

    def get(self, id: str) -> User:
        """The user with this id. Raises UserNotFound."""
        return _found(self._users.get_user(self._session, id=check_id(id, "id")), id)

    def get_by_email(self, email: str) -> User:
        """The user with this e-mail address, in any case. Raises UserNotFound."""
        normalised = fold_email(email)
        return _found(self._users.get_user_by_email(self._session, email=normalised), normalised)

    def list(self, limit: int = DEFAULT_LIMIT, after: str | None = None) -> Page[User]:
        """One page of 1 to 1,000 users, newest first; ``after`` is the ``next`` of the previous page."""
        limit, ask = page_parameters(limit)
        created_at, id = position(after)
        users = self._users.list_users(self._session, limit=ask, after_created_at=created_at, after_id=id)
        return page(users, limit, lambda user: (user.created_at, user.id))

    def update(self, id: str, email: str | None = None, role: Role | None = None) -> User:
        """Change what is given. Raises UserNotFound, EmailExists, or LastAdmin if no admin would be left."""
        check_id(id, "id")
        email = None if email is None else normalise_email(email)
        if role is not None:
            check_role(role)
        if role is None or role == "admin":
            return self._update(self._context, id, email, role)
        with self._session.transaction() as tx:
            context = _on(self._context, tx)
            self._refuse_last_admin(context, id)
            return self._update(context, id, email, role)

    def delete(self, id: str) -> None:
        """Delete a user and the user's keys. Raises UserNotFound, or LastAdmin for the only admin."""
        check_id(id, "id")
        with self._session.transaction() as tx:
            self._refuse_last_admin(_on(self._context, tx), id)
            if not self._users.delete_user(tx, id=id):
                raise UserNotFound(id)

    def has_admin(self) -> bool:
        """Whether there is an admin; if not, ``create_first_admin`` creates one."""
        return bool(self._users.admin_exists(self._session))

    def create_first_admin(self, email: str, key_name: str | None = None) -> tuple[User, IssuedKey]:
        """Create the first admin and its key, both or neither.

        Raises AlreadyBootstrapped if there is an admin: of any number of concurrent callers, exactly one succeeds.
        """
        normalised = normalise_email(email)
        with self._session.transaction() as tx:
            context = _on(self._context, tx)
            self._users.lock_bootstrap(tx)
            if self._users.admin_exists(tx):
                raise AlreadyBootstrapped
            user = _create(context, normalised, "admin")
            return user, ApiKeyRepository(context).issue(user.id, key_name)

    def _update(self, context: Context, id: str, email: str | None, role: Role | None) -> User:
        try:
            user = self._users.update_user(context.session, id=id, email=email, role=role, now=context.clock())
        except UniqueViolation as error:
            raise EmailExists(f"a user with the e-mail address {email!r} already exists") from error
        return _found(user, id)

    def _refuse_last_admin(self, context: Context, id: str) -> None:
        """Locks the admins: otherwise two callers could each remove the other's admin."""
        if self._users.lock_admins(context.session) == [id]:
            raise LastAdmin


def _create(context: Context, email: str, role: str) -> User:
    try:
        user = context.queries.users.create_user(
            context.session, id=context.new_id(), email=email, role=role, now=context.clock()
        )
    except UniqueViolation as error:
        raise EmailExists(f"a user with the e-mail address {email!r} already exists") from error
    return always(user, "users.create_user")


def _on(context: Context, session: Session) -> Context:
    return context.on(session)


def _found(user: User | None, key: str) -> User:
    if user is None:
        raise UserNotFound(key)
    return user
