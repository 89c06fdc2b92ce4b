"""The style, the script and the icon: our own files, with a hash of their content in the URL, so browsers can cache."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

TYPES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_YEAR = 31_536_000


class Asset(msgspec.Struct, frozen=True):
    content: bytes
    media_type: str
    mark: str


@cache
def asset(name: str) -> Asset:
    """A file, read once."""
    content = (files(__package__) / "static" / name).read_bytes()
    return Asset(content, TYPES[name], hashlib.sha256(content).hexdigest()[:12])


def address(name: str) -> str:
    """Its URL; different content has a different URL."""
    return f"/static/{name}?v={asset(name).mark}"


@get("/static/{name:str}", sync_to_thread=False)
def static(name: FromPath[str], v: FromQuery[str] = "") -> Response[bytes]:
    """For everybody: it has nothing that is not in the package."""
    if name not in TYPES:
        raise NotFoundException
    found = asset(name)
    keep = f"public, max-age={_YEAR}, immutable" if v == found.mark else "no-cache"
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": keep})


HANDLERS = [static]
