"""The form of an API key: any 32 bytes make one, and any slip of the pen unmakes it."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.statestore.repositories.key_format import LENGTH, hash_key, is_well_formed, make_key, prefix
from tests.parity.strategies import MANY

KEY = make_key(bytes(range(32)))
randoms = st.binary(min_size=32, max_size=32)


@MANY
@given(randoms)
def test_32_bytes_make_a_key(random):
    key = make_key(random)
    assert re.fullmatch(r"dgl_[A-Za-z0-9_-]{43}[A-Za-z0-9_-]{6}", key)
    assert len(key) == LENGTH == 53
    assert is_well_formed(key)


@MANY
@given(randoms, randoms)
def test_different_bytes_make_different_keys(a, b):
    assert (make_key(a) == make_key(b)) == (a == b)


@MANY
@given(randoms, st.integers(4, 52), st.sampled_from("ABCXYZabcxyz0189-_"))
def test_a_key_with_one_wrong_character_is_refused(random, at, character):
    key = make_key(random)
    slipped = key[:at] + character + key[at + 1 :]
    assert is_well_formed(slipped) == (slipped == key)


@MANY
@given(randoms, st.integers(4, 51))
def test_two_characters_in_the_wrong_order_are_refused(random, at):
    key = make_key(random)
    swapped = key[:at] + key[at + 1] + key[at] + key[at + 2 :]
    assert is_well_formed(swapped) == (swapped == key)


NO_KEYS = [
    ("empty", ""),
    ("None", None),
    ("bytes", KEY.encode()),
    ("number", 5),
    ("short", KEY[:-1]),
    ("long", KEY + "A"),
    ("very long", KEY * 100_000),
    ("leading space", " " + KEY[:-1]),
    ("line end", KEY + "\n"),
    ("another mark", "dgx_" + KEY[4:]),
    ("upper-case mark", "DGL_" + KEY[4:]),
    ("not ASCII", KEY[:10] + "é" + KEY[11:]),
    ("not ASCII in the checksum", KEY[:-1] + "é"),
    ("NUL", KEY[:-1] + "\0"),
    ("lone surrogate", KEY[:10] + "\ud800" + KEY[11:]),
    ("bytes that were printed", f"b'{KEY[2:-1]}'"),
]


@pytest.mark.parametrize("key", [c[1] for c in NO_KEYS], ids=[c[0] for c in NO_KEYS])
def test_what_is_no_key_is_refused(key):
    assert not is_well_formed(key)


def test_stored_are_the_hash_of_the_whole_key_and_its_beginning():
    assert hash_key(KEY) == hashlib.sha256(KEY.encode("ascii")).digest()
    assert prefix(KEY) == KEY[:12] == "dgl_" + KEY[4:12]


def test_the_format_stays_as_it_was_issued():
    # A key that was issued once must work for good.
    assert KEY == "dgl_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8TU7XZg"
    assert hash_key(KEY).hex() == "7d8f848d8821e7b2a9ffc6aa3dd594617bf7d7dbc26ac81717932c084c4d57c4"
