"""What hypothesis draws for the parity suite: values that cross both databases, and how many of them.

Derandomised: a run means the same everywhere and leaves nothing behind. A bug it finds becomes a case of its own.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from diglot.sql.canonical_json import MAX_INTEGER

MANY = settings(max_examples=150, derandomize=True, deadline=None)
"""For what runs in Python alone."""

FEW = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    # The database is made once a test and serves all of its examples, each with an id of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""For what asks a database each time."""

# Every character but NUL and the surrogates, which no database may get.
characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
text = st.text(characters, max_size=40)
# Ids: no control characters either; short, so that the examples stay readable.
ids = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)

floats = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(-MAX_INTEGER, MAX_INTEGER)
scalars = st.none() | st.booleans() | integers | floats | text
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
json_objects = st.dictionaries(text, json_values, max_size=5)

# Whatever anybody could type that sorts, folds, quotes or measures differently somewhere.
HOSTILE = [
    " ", "  x ", "a", "A", "b", "B", "Z", "z", "_", "-", "~", "0", "1", "10", "2", "1.0", "1e3", "true",
    "null", "NULL", "'", "''", '"', "`", "\\", "\\'", "\\x41", "\\u0000", "%", "_%", "%s", "%(x)s",
    ":a", "::text", "$1", "?", "?1", "--", "/*", "*/", ";", "; drop table users", "$$", "$.a", "a.b",
    "{}", "[1]", "{a}", "é", "e\u0301", "É", "ß", "SS", "ẞ", "ı", "I", "i", "İ", "i\u0307", "ſ", "K",
    "\u212a", "ﬁ", "Ω", "\u2126", "ς", "σ", "\u00a0", "\u200b", "\u200d", "\u202e", "\u2028", "\ufeff",
    "\ufeffa", "\ufffd", "\uffff", "\ue000", "שלום", "مرحبا", "e\u0301\u0323", "e\u0323\u0301", "한국",
    "\u1112\u1161\u11ab", "日本", "ｆｕｌｌ", "👩‍👩‍👧‍👦", "🏳️‍🌈", "😀", "𝔘", "\U00010000", "\U0001f600a",
    "\U000e0001", "\U0010fffe", "\U0010ffff", "a\U0010ffff", "zz", "zzz",
]  # fmt: skip
