"""The caller, API keys, and, for admins, the users."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, delete, get, patch, post
from litestar.exceptions import PermissionDeniedException
from litestar.params import FromPath, JSONBody, QueryParameter

from diglot.statestore.errors import ApiKeyNotFound
from diglot.statestore.models import ApiKey, IssuedKey, Page, User
from diglot.statestore.repositories.paging import DEFAULT_LIMIT
from diglot.statestore.server.auth.who import Me, admin
from diglot.statestore.server.problems import responses
from diglot.statestore.server.routes.answers import paged
from diglot.statestore.server.routes.bodies import Body, KeyWanted, Sent, UserChanged, UserWanted
from diglot.statestore.server.routes.parameters import After, Limit, OpenDatabase


@get("/auth/me", summary="Who am I?", tags=["Keys"], responses=responses(), sync_to_thread=False)
def me(request: Me) -> User:
    """The user that the key belongs to."""
    return request.user


@get("/auth/keys", summary="List keys", tags=["Keys"], responses=responses(), sync_to_thread=True)
def list_keys(
    request: Me,
    database: OpenDatabase,
    user_id: Annotated[
        str | None, QueryParameter(description="Whose keys; only an admin can name another user.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> Response[Page[ApiKey]]:
    """Newest first: the keys' first characters, never the keys themselves."""
    return paged(request, database.api_keys.list(_owner(request, user_id), limit=limit, after=after))


@post("/auth/keys", summary="Issue a key", tags=["Keys"], dto=Body[KeyWanted], return_dto=None,
      responses=responses(404, 413, 415), sync_to_thread=True)  # fmt: skip
def issue_key(request: Me, data: JSONBody[Sent[KeyWanted]], database: OpenDatabase) -> IssuedKey:
    """The secret is in this response and nowhere else."""
    wanted = data.read()
    return database.api_keys.issue(_owner(request, wanted.user_id), wanted.name, wanted.expires_at)


@delete("/auth/keys/{id:str}", summary="Revoke a key", tags=["Keys"], responses=responses(404), sync_to_thread=True)
def revoke_key(request: Me, id: FromPath[str], database: OpenDatabase) -> None:
    """It stops working at once. Unless you are an admin, another user's key is not found."""
    if request.user.role != "admin" and database.api_keys.get(id).user_id != request.user.id:
        raise ApiKeyNotFound(id)
    database.api_keys.revoke(id)


@get("/users", summary="List users", tags=["Users"], guards=[admin], responses=responses(), sync_to_thread=True)
def list_users(
    request: Me, database: OpenDatabase, limit: Limit = DEFAULT_LIMIT, after: After = None
) -> Response[Page[User]]:
    """Newest first. Only for admins."""
    return paged(request, database.users.list(limit=limit, after=after))


@post("/users", summary="Create a user", tags=["Users"], guards=[admin], dto=Body[UserWanted], return_dto=None,
      responses=responses(409, 413, 415), sync_to_thread=True)  # fmt: skip
def create_user(data: JSONBody[Sent[UserWanted]], database: OpenDatabase) -> User:
    """A user without a key: issue one with POST /auth/keys. Only for admins."""
    wanted = data.read()
    return database.users.create(wanted.email, wanted.role)


@get("/users/{id:str}", summary="Get a user", tags=["Users"], guards=[admin], responses=responses(404),
     sync_to_thread=True)  # fmt: skip
def get_user(id: FromPath[str], database: OpenDatabase) -> User:
    """Only for admins."""
    return database.users.get(id)


@patch("/users/{id:str}", summary="Change a user", tags=["Users"], guards=[admin], dto=Body[UserChanged],
       return_dto=None, responses=responses(404, 409, 413, 415), sync_to_thread=True)  # fmt: skip
def change_user(id: FromPath[str], data: JSONBody[Sent[UserChanged]], database: OpenDatabase) -> User:
    """The e-mail address, the role, or both. The last admin stays an admin. Only for admins."""
    changed = data.read()
    return database.users.update(id, email=changed.email, role=changed.role)


@delete("/users/{id:str}", summary="Delete a user", tags=["Users"], guards=[admin], responses=responses(404, 409),
        sync_to_thread=True)  # fmt: skip
def delete_user(id: FromPath[str], database: OpenDatabase) -> None:
    """Also deletes the user's keys. The last admin can't be deleted. Only for admins."""
    database.users.delete(id)


def _owner(request: Me, user_id: str | None) -> str:
    """The owner of the keys. Raises 403 for another user's, unless the caller is an admin."""
    if user_id is None or user_id == request.user.id:
        return request.user.id
    if request.user.role != "admin":
        raise PermissionDeniedException("only an admin can name another user")
    return user_id


HANDLERS = [me, list_keys, issue_key, revoke_key, list_users, create_user, get_user, change_user, delete_user]
