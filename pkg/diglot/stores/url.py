"""From the address of a database to its settings, without the driver, whose errors show the password.

Every part of an address may hold a password that was typed without its percent-encoding, so an error never repeats
the address: it names the part (the port, the parameter 'sslmode') and says what is allowed there.
"""

from __future__ import annotations

import re
from typing import Any, get_args
from urllib.parse import unquote_to_bytes

from diglot.errors import ConfigurationError
from diglot.stores.settings import PostgresSettings, SQLiteSettings, SslMode

MEMORY = ":memory:"
SUPPORTED = "postgresql://, postgres://, sqlite://, file: or the path of a SQLite file"


def parse_url(url: str) -> SQLiteSettings | PostgresSettings:
    """The settings of ``postgresql://…``, ``postgres://…``, ``sqlite://…``, ``file:…`` or a plain path.

    ``sqlite:///app.db`` is relative, ``sqlite:////srv/app.db`` absolute; only ``:memory:`` and ``sqlite:///:memory:``
    are a database in memory. A plain path is taken literally; in the other forms, percent-encoding is decoded. A ``~``
    in front of a path is the home folder.
    """
    scheme, separator, rest = url.partition("://")
    if separator and _SCHEME.fullmatch(scheme):
        scheme = scheme.lower()
        if scheme in ("postgresql", "postgres"):
            return _postgres(rest)
        if scheme == "sqlite":
            return _sqlite_url(rest)
        if scheme != "file":
            raise ConfigurationError(f"unsupported database scheme {scheme!r}: use {SUPPORTED}")
    if url[:5].lower() == "file:":
        return SQLiteSettings(path=_checked_path(_file_path(url[5:])))
    if url == MEMORY:
        return SQLiteSettings(path=MEMORY)
    if _MISTYPED.match(url):
        raise ConfigurationError(
            f"this looks like an address, but of an unknown kind: use {SUPPORTED} (./… for a path that looks like one)"
        )
    if _CONNINFO.match(url):
        raise ConfigurationError(
            "this is a connection string of libpq (key=value), not a URL: use the setting conn_string for it"
        )
    return SQLiteSettings(path=_checked_path(url))


def parse_conninfo(text: str) -> PostgresSettings:
    """The settings of a connection string of libpq: ``host=db user=app dbname=app``, or a ``postgresql://`` URL."""
    scheme, separator, rest = text.strip().partition("://")
    if separator and scheme.lower() in ("postgresql", "postgres"):
        return _postgres(rest)
    found = _conninfo(text)
    if not found:
        raise ConfigurationError(
            "the connection string can't be read: write host=… port=… user=… password=… dbname=…, "
            "each value with a blank in 'single quotes', or a postgresql:// URL"
        )
    return _settings(found)


# --- PostgreSQL --------------------------------------------------------------------------------------------

OPTIONS = frozenset(
    {
        "channel_binding",
        "gssdelegation",
        "gssencmode",
        "gsslib",
        "hostaddr",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "krbsrvname",
        "load_balance_hosts",
        "options",
        "passfile",
        "require_auth",
        "requirepeer",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcert",
        "sslcertmode",
        "sslcrl",
        "sslcrldir",
        "sslkey",
        "sslnegotiation",
        "sslpassword",
        "sslrootcert",
        "sslsni",
        "target_session_attrs",
        "tcp_user_timeout",
    }
)
"""The parameters of libpq that are passed on unchanged."""
FIELDS = {
    "host": "host",
    "port": "port",
    "user": "user",
    "password": "password",
    "dbname": "dbname",
    "sslmode": "ssl_mode",
    "application_name": "application_name",
    "connect_timeout": "connect_timeout",
}
"""The parameters of libpq that are settings here, with our names for them."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_NAME = re.compile(r"[a-z_]{2,40}")
# postgresql:/…, postgresql//…, x://…@…, ://…, and user:password@host
_MISTYPED = re.compile(
    r"\s*((postgres(ql)?|sqlite)(\+\w+)?(:|//)|:?//.*@|://|.*://.*@|[^/]*:.*@)", re.IGNORECASE | re.DOTALL
)
_CONNINFO = re.compile(r"\s*(host|hostaddr|port|user|password|dbname|service|sslmode)\s*=", re.IGNORECASE)


def _postgres(rest: str) -> PostgresSettings:
    """``[user[:password]@][host[:port][,…]][/dbname][?parameters]``"""
    if "#" in rest:
        raise ConfigurationError("the URL has a '#': write it as %23")
    address, _, query = rest.partition("?")
    authority, _, dbname = address.partition("/")
    if "@" in dbname or "@" in query or "/" in dbname:
        raise ConfigurationError(
            "the URL can't be read: in its user, password, database and parameters write '@' as %40, '/' as %2F "
            "and '?' as %3F"
        )
    userinfo, _, hosts = authority.rpartition("@")
    user, _, password = userinfo.partition(":")
    host, port = _hosts(hosts)
    found = {"user": user, "password": password, "host": host, "port": port, "dbname": dbname}
    found = {name: _decoded(value, name) for name, value in found.items() if value}
    for name, value in _parameters(query).items():
        if found.setdefault(name, value) != value:
            raise ConfigurationError(f"the URL has {name!r} twice, with different values")
    return _settings(found)


def _hosts(hosts: str) -> tuple[str, str]:
    """Several hosts are tried in turn; they have one port in common."""
    names, ports = [], set()
    for item in hosts.split(","):
        found = _HOST.fullmatch(item)
        if found is None:
            raise ConfigurationError(
                "the host or port of the URL is not valid: write host:port with a port of 1 to 65535, an IPv6 "
                "address in [brackets], and percent-encode the user and password"
            )
        names.append(found["ipv6"] or found["name"])
        ports.add(found["port"] or "")
    if len(ports) > 1:
        raise ConfigurationError("the hosts of the URL have different ports: give them the same one")
    return ",".join(names), ports.pop()


_HOST = re.compile(r"(\[(?P<ipv6>[0-9A-Fa-f:.]+(%25[\w.-]+)?)\]|(?P<name>[^\[\]:]*))(:(?P<port>[0-9]*))?")


def _parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in filter(None, query.split("&")):
        name, equals, value = item.partition("=")
        name = _decoded(name, "parameter's name")
        if not equals or not _NAME.fullmatch(name):
            raise ConfigurationError("the parameters of the URL are not valid: write ?name=value&name=value")
        if name in found:
            raise ConfigurationError(f"the URL says {name!r} twice")
        found[name] = _decoded(value, name)
    return found


def _settings(found: dict[str, str]) -> PostgresSettings:
    fields: dict[str, Any] = {}
    options: dict[str, str] = {}
    for name, value in found.items():
        if "\0" in value or "\n" in value or "\r" in value:
            raise ConfigurationError(f"the {name} of the PostgreSQL address has a control character")
        if name in FIELDS:
            fields[FIELDS[name]] = value
        elif name in OPTIONS:
            options[name] = value
        else:
            allowed = ", ".join(sorted(OPTIONS | FIELDS.keys()))
            raise ConfigurationError(f"unknown parameter {name!r} for PostgreSQL: use one of {allowed}")
    if "://" in fields.get("dbname", ""):
        raise ConfigurationError("the dbname of the PostgreSQL address is an address itself: give the name alone")
    if "port" in fields:
        fields["port"] = _number(fields["port"], "port", 65535)
    if "connect_timeout" in fields:
        fields["connect_timeout"] = float(_number(fields["connect_timeout"], "connect_timeout", 86400))
    if "ssl_mode" in fields and fields["ssl_mode"] not in get_args(SslMode):
        raise ConfigurationError(f"sslmode is not valid: use one of {', '.join(get_args(SslMode))}")
    return PostgresSettings(**fields, options=options)


def _number(text: str, name: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise ConfigurationError(f"the {name} of the PostgreSQL address must be a number from 1 to {most}")
    return int(text)


def _conninfo(text: str) -> dict[str, str]:
    """{} if libpq can't read it. Its error is not chained: it may repeat a part of the password."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    if "\0" in text:
        return {}
    try:
        return {name: str(value) for name, value in conninfo_to_dict(text).items() if value is not None}
    except psycopg.Error:
        return {}


# --- SQLite ------------------------------------------------------------------------------------------------


NO_FILE = (
    "the SQLite address names no file: use sqlite:///data/app.db, or sqlite:///:memory: for a database in memory, "
    "which is gone when the process ends"
)


def _sqlite_url(rest: str) -> SQLiteSettings:
    if rest in (MEMORY, f"/{MEMORY}"):
        return SQLiteSettings(path=MEMORY)
    if rest in ("", "/"):
        raise ConfigurationError(NO_FILE)
    if not rest.startswith("/"):
        raise ConfigurationError(
            "the SQLite URL has a host: write sqlite:///app.db (three slashes) for a path relative to this folder, "
            "sqlite:////srv/app.db (four) for an absolute one, sqlite:///:memory: for a database in memory"
        )
    return SQLiteSettings(path=_checked_path(_without_parameters(rest[1:])))


def _file_path(rest: str) -> str:
    """``file:app.db``, ``file:/srv/app.db``, ``file:///srv/app.db``, ``file://localhost/srv/app.db``"""
    path = _without_parameters(rest)
    if path.startswith("//"):
        host, _, path = path[2:].partition("/")
        if host.lower() not in ("", "localhost"):
            raise ConfigurationError("the file: URI names a host: write file:/srv/app.db or file:app.db")
        path = f"/{path}"
    return path


def _without_parameters(text: str) -> str:
    path, mark, query = text.partition("?")
    if mark:
        names = [name for name in (item.partition("=")[0] for item in query.split("&")) if _NAME.fullmatch(name)]
        what = f"the parameter {names[0]!r}" if names else "a '?'"
        raise ConfigurationError(f"the SQLite address has {what}, but takes no parameters; in a path write ? as %3F")
    if "#" in path:
        raise ConfigurationError("the SQLite address has a '#': in a path write it as %23")
    return _decoded(path, "path")


def _checked_path(path: str) -> str:
    if path == MEMORY or path.endswith("/") or not path.strip():
        raise ConfigurationError(NO_FILE)
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise ConfigurationError("the path of the SQLite database has a control character")
    if ".." in path.split("/"):
        raise ConfigurationError("the path of the SQLite database has a '..' segment: write it without")
    return f"./{path}" if path.lower().startswith("file:") else path


def _decoded(text: str, part: str) -> str:
    """Percent-encoding to text; what is malformed is refused, not guessed."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ConfigurationError(f"the {part} of the address has a '%' that is not followed by two digits: write %25")
    decoded = _utf8(text)
    if decoded is None:
        raise ConfigurationError(f"the {part} of the address is not UTF-8 when it is decoded")
    return decoded


def _utf8(text: str) -> str | None:
    # Not chained: the error of the codec holds the whole text.
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        return None
