"""What an API key looks like: ``dgl_`` + 43 characters base64url (32 random bytes) + 6 characters of checksum.

With the checksum, a mistyped or made-up key is refused without a query. The database stores the SHA-256 of the whole
key, and its first 12 characters for display. 256 random bits need no slow hash.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from typing import Any

MARK = "dgl_"
RANDOM_BYTES = 32
LENGTH = 53
PREFIX_LENGTH = 12


def make_key(random: bytes) -> str:
    """The key from 32 random bytes."""
    body = MARK + base64.urlsafe_b64encode(random).decode().rstrip("=")
    return body + _checksum(body)


def is_well_formed(key: Any) -> bool:
    """Whether it has the form of a key and the right checksum; not whether it exists."""
    if type(key) is not str or len(key) != LENGTH or not key.startswith(MARK) or not key.isascii():
        return False
    return hmac.compare_digest(_checksum(key[:-6]), key[-6:])


def hash_key(key: str) -> bytes:
    """SHA-256 of the whole key, 32 bytes: what is stored and looked up."""
    return hashlib.sha256(key.encode()).digest()


def prefix(key: str) -> str:
    """The first 12 characters, for display."""
    return key[:PREFIX_LENGTH]


def _checksum(body: str) -> str:
    return base64.urlsafe_b64encode(zlib.crc32(body.encode()).to_bytes(4, "big")).decode().rstrip("=")
