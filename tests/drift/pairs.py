"""Pairs of small schemas, PostgreSQL and SQLite: the same or different, and why.

Each was wrong once, or is the nearest neighbour of one that was: what is the same stands beside what only looks so.
"""

# ruff: noqa: E501  (a pair a line: the list is read as a table)

from __future__ import annotations

from typing import Literal, NamedTuple


class Pair(NamedTuple):
    """``answer`` is what ``diglot drift`` must say about the two."""

    postgres: str
    sqlite: str
    answer: Literal["same", "different"]
    why: str


SAME: Literal["same"] = "same"
DIFFERENT: Literal["different"] = "different"

PAIRS = [
    # literals: PostgreSQL reads a text as the type, SQLite changes only numerals
    Pair("create table t (a boolean default true)", "create table t (a boolean default 1)", SAME, "true is 1"),
    Pair("create table t (a boolean default false)", "create table t (a boolean default 'f')", DIFFERENT, "SQLite stores the letter f"),
    Pair("create table t (a boolean default 'off')", "create table t (a boolean default 0)", SAME, "PostgreSQL reads off as false"),
    Pair("create table t (a boolean default 'tr')", "create table t (a boolean default 1)", SAME, "any clear beginning of true is true"),
    Pair("create table t (a boolean default true)", "create table t (a boolean default '1')", SAME, "NUMERIC affinity makes the numeral a number"),
    Pair("create table t (a boolean, b int, check (a or b > 1))", "create table t (a boolean, b int, check (a = 'true' or b > 1))", DIFFERENT, "a number is no text on SQLite"),
    Pair("create table t (a boolean, b int, check (not a or b > 1))", "create table t (a boolean, b int, check (a = 0 or b > 1))", SAME, "not a is a = 0"),
    Pair("create table t (a int default '7')", "create table t (a integer default 7)", SAME, "the numeral is read as the number"),
    Pair("create table t (a int check (a > 5))", "create table t (a integer check (a > '5'))", SAME, "INTEGER affinity applies to the numeral"),
    Pair("create table t (a int check (a > 12))", "create table t (a integer check (a > cast('12abc' as integer)))", DIFFERENT, "SQLite's cast reads the digits that it finds: drift does not calculate it"),
    Pair(r"create table t (a bytea default '\x6162')", r"create table t (a blob default '\x6162')", DIFFERENT, "on SQLite it is a text of six characters"),
    Pair("create table t (a text[] default '{}')", "create table t (a text default '[]' check (json_valid(a)))", SAME, "the empty array"),
    Pair("create table t (a jsonb default '[]')", "create table t (a json default '{}')", DIFFERENT, "an array is no object"),
    Pair("create table t (a jsonb default '{\"a\": 1, \"b\": 2}')", "create table t (a json default '{\"b\":2,\"a\":1}')", SAME, "the order of keys does not matter"),
    Pair("create table t (a jsonb default '{}')", "create table t (a json default (jsonb('{}')))", SAME, "the empty object as JSONB"),
    Pair("create table t (a jsonb default jsonb_build_object())", "create table t (a json default (json_object()))", SAME, "calls that build the empty object"),
    # defaults that the column itself refuses
    Pair("create table t (a boolean not null default true)", "create table t (a integer not null default 'true' check (a in (0, 1)))", DIFFERENT, "the text violates the CHECK"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default current_timestamp check (a glob '????-??-??T??:??:??*'))", DIFFERENT, "current_timestamp has a blank where the CHECK wants a T"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default current_timestamp check (a glob '????-??-?? ??:??:??'))", SAME, "the CHECK describes what current_timestamp gives"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default (datetime('now')) check (length(a) = 27))", DIFFERENT, "datetime gives 19 characters"),
    Pair("create table t (a uuid default gen_random_uuid())", "create table t (a text default (lower(hex(randomblob(16)))) check (length(a) = 36))", DIFFERENT, "32 digits without hyphens"),
    Pair("create table t (a uuid default gen_random_uuid())", "create table t (a text default (lower(hex(randomblob(16)))) check (length(a) = 32))", SAME, "32 digits"),
    Pair("create table t (a date default current_date)", "create table t (a text default current_date check (a is date(a)))", SAME, "the CHECK accepts the day"),
    Pair("create table t (a text default '' check (a <> ''))", "create table t (a text default '' check (a <> ''))", SAME, "both refuse it, so a value must be given"),
    Pair("create table t (a int)", "create table t (a integer default 'x' check (typeof(a) = 'integer'))", DIFFERENT, "a default on one side alone"),
    # random UUIDs
    Pair("create table t (a uuid default gen_random_uuid())", "create table t (a blob default (randomblob(16)))", SAME, "16 random bytes"),
    Pair("create table t (a uuid default gen_random_uuid())", "create table t (a blob default (randomblob(8)))", DIFFERENT, "8 bytes are no UUID"),
    Pair("create table t (a uuid default gen_random_uuid())", "create table t (a text default (lower(hex(randomblob(8))) || '0000000000000000'))", DIFFERENT, "half of it is fixed"),
    Pair("create table t (a uuid default gen_random_uuid())", "create table t (a text default (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' || substr('89ab', abs(random()) % 4 + 1, 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))))", SAME, "a version 4 UUID, put together"),
    Pair("create table t (a uuid default gen_random_uuid())", "create table t (a text default ('id-' || hex(randomblob(16))))", DIFFERENT, "a prefix"),
    Pair("create table t (a text default gen_random_uuid())", "create table t (a text default (lower(hex(randomblob(16)))))", DIFFERENT, "in a text the hyphens count"),
    Pair("create table t (a uuid default 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')", "create table t (a text default (hex(randomblob(16))))", DIFFERENT, "fixed or random"),
    # the current time, the whole of it
    Pair("create table t (a timestamptz default now())", "create table t (a text default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))", SAME, "milliseconds, and Z"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'))", SAME, "filled up to microseconds"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default (replace(datetime('now'), ' ', 'T') || 'Z'))", SAME, "the blank replaced"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default (strftime('%FT%TZ', 'now')))", SAME, "%F and %T are short forms"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default (strftime('%Y-%m', 'now')))", DIFFERENT, "the month alone"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default (strftime('%Y-%m-%d %H:%M', 'now')))", DIFFERENT, "no seconds"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default (strftime('%d.%m.%Y %H:%M:%S', 'now')))", DIFFERENT, "it does not sort as a time"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default ('at ' || datetime('now')))", DIFFERENT, "a word before it"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default (datetime('now', 'localtime')))", DIFFERENT, "local time"),
    Pair("create table t (a timestamptz default now())", "create table t (a text default (datetime('now', '+1 hour')))", DIFFERENT, "an hour later"),
    Pair("create table t (a timestamptz default now() + interval '1 hour')", "create table t (a text default (datetime('now')))", DIFFERENT, "an hour later, on PostgreSQL"),
    Pair("create table t (a date default current_date)", "create table t (a text default (strftime('%Y-%m-%d', 'now')))", SAME, "the day"),
    Pair("create table t (a time default localtime)", "create table t (a text default (time('now')))", DIFFERENT, "local time and UTC"),
    # seconds since 1970
    Pair("create table t (a bigint default extract(epoch from now()))", "create table t (a integer default (cast(strftime('%s', 'now') as integer)))", SAME, "seconds"),
    Pair("create table t (a bigint default date_part('epoch', now()))", "create table t (a integer default (unixepoch('now')))", SAME, "date_part is extract"),
    Pair("create table t (a bigint default (extract(epoch from now()) * 1000)::bigint)", "create table t (a integer default (unixepoch('subsec') * 1000))", SAME, "milliseconds"),
    Pair("create table t (a bigint default floor(extract(epoch from clock_timestamp()) * 1000))", "create table t (a integer default (cast((julianday('now') - 2440587.5) * 86400000 as integer)))", SAME, "milliseconds from the Julian day"),
    Pair("create table t (a bigint default (extract(epoch from now()) * 1000)::bigint)", "create table t (a integer default (unixepoch() * 1000000))", DIFFERENT, "milliseconds and microseconds"),
    Pair("create table t (a bigint default extract(year from now()))", "create table t (a integer default (unixepoch()))", DIFFERENT, "the year is a part of it"),
    Pair("create table t (a bigint default extract(epoch from now() + interval '1 day'))", "create table t (a integer default (unixepoch()))", DIFFERENT, "a day later"),
    Pair("create table t (a bigint default extract(epoch from now()))", "create table t (a integer default (unixepoch('now', '+1 day')))", DIFFERENT, "a day later, on SQLite"),
    # CHECKs on the form of a value, and on the value
    Pair("create table t (a date)", "create table t (a text check (a glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'))", SAME, "the form of a date"),
    Pair("create table t (a date)", "create table t (a text check (a glob '20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]'))", DIFFERENT, "this century alone"),
    Pair("create table t (a date)", "create table t (a text check (a not glob '2021-*'))", DIFFERENT, "a year left out"),
    Pair("create table t (a date)", "create table t (a text check (strftime('%Y', a) <> '2021'))", DIFFERENT, "a year left out, by strftime"),
    Pair("create table t (a date)", "create table t (a text check (strftime('%w', a) in ('1', '2', '3', '4', '5')))", DIFFERENT, "working days alone"),
    Pair("create table t (a date check (a >= '2020-01-01'))", "create table t (a text check (date(a) >= '2020-01-01'))", SAME, "date() of a date is the date"),
    Pair("create table t (a date check (a >= '2020-01-01'))", "create table t (a text check (date(a) >= '2021-01-01'))", DIFFERENT, "another limit"),
    Pair("create table t (a timestamptz check (a::date >= '2020-01-01'))", "create table t (a text check (date(a) >= '2020-01-01'))", SAME, "the day of a time"),
    Pair("create table t (a timestamptz)", "create table t (a text check (julianday(a) is not null))", SAME, "SQLite can read it"),
    Pair("create table t (a timestamptz)", "create table t (a text check (length(a) = 27 and substr(a, 11, 1) = 'T'))", SAME, "one layout, in two facts"),
    Pair("create table t (a timestamptz)", "create table t (a text check (length(a) <= 10))", DIFFERENT, "no time is that short"),
    Pair("create table t (a timestamptz)", "create table t (a text check (a like '%Z'))", SAME, "in UTC"),
    Pair("create table t (a uuid)", "create table t (a text check (length(a) = 32 and a not glob '*[^0-9a-f]*'))", SAME, "hexadecimal digits"),
    Pair("create table t (a uuid)", "create table t (a text check (a not glob '*[^0-9]*'))", DIFFERENT, "decimal digits alone"),
    Pair("create table t (a uuid)", "create table t (a text check (a = lower(a)))", SAME, "PostgreSQL writes lower case"),
    Pair("create table t (a numeric)", "create table t (a text check (length(a) <= 30))", DIFFERENT, "numeric has no limit"),
    Pair("create table t (a numeric(6,2))", "create table t (a text check (length(a) <= 30 and a not glob '*[^-0-9.]*'))", SAME, "numeric(6,2) has one, below 30"),
    Pair("create table t (a numeric(6,2))", "create table t (a text)", DIFFERENT, "a text of any kind"),
    Pair("create table t (a text)", "create table t (a text check (length(a) <= 1000))", DIFFERENT, "text has no limit"),
    Pair("create table t (a bytea)", "create table t (a blob check (typeof(a) = 'blob'))", SAME, "the type said again"),
    Pair("create table t (a varchar(20))", "create table t (a varchar(20) check (length(a) <= 20))", SAME, "the length said twice"),
    Pair("create table t (a varchar(20))", "create table t (a varchar(20) check (length(a) <= 19))", DIFFERENT, "a shorter one"),
    Pair("create table t (a smallint)", "create table t (a integer check (a between -32768 and 32767))", SAME, "the range of smallint"),
    Pair("create table t (a smallint)", "create table t (a integer check (a between -32767 and 32767))", DIFFERENT, "one less"),
    Pair("create table t (a smallint)", "create table t (a integer check (a <> 7))", DIFFERENT, "a value left out"),
    Pair("create type m as enum ('a', 'b'); create table t (a m)", "create table t (a text check (a in ('a', 'b') and length(a) = 1))", SAME, "every label has one character"),
    Pair("create type m as enum ('a', 'b'); create table t (a m)", "create table t (a text check (a in ('a', 'b') and a <> 'b'))", DIFFERENT, "a label left out"),
    Pair("create table t (a jsonb)", "create table t (a text check (json_valid(a) and json_type(a) = 'object'))", DIFFERENT, "objects alone"),
    # arithmetic
    Pair("create table t (a int, check (a / 2 > 1))", "create table t (a integer, check (a / 2 > 1))", SAME, "whole numbers on both"),
    Pair("create table t (a int, check (a / 2.0 > 1))", "create table t (a integer, check (a / 2.0 > 1))", SAME, "with the fraction on both"),
    Pair("create table t (a int, check (a::numeric / 2 > 1))", "create table t (a integer, check (a / 2 > 1))", DIFFERENT, "3 / 2 is 1.5 or 1"),
    Pair("create table t (a int, check (a::numeric / 2 > 1))", "create table t (a integer, check (cast(a as real) / 2 > 1))", SAME, "a cast on both"),
    Pair("create table t (a double precision, check (a / 2 > 1))", "create table t (a real, check (a / 2 > 1))", SAME, "REAL affinity stores 3 as 3.0"),
    Pair("create table t (a numeric, check (a / 2 > 1))", "create table t (a numeric, check (a / 2 > 1))", DIFFERENT, "NUMERIC affinity stores 3.0 as 3, and 3 / 2 is 1"),
    Pair("create table t (a int, check (a % 2 = 0))", "create table t (a integer, check (a % 2 = 0))", SAME, "the remainder"),
    Pair("create table t (a int, b int, check (a - b > 0))", "create table t (a integer, b integer, check (b - a > 0))", DIFFERENT, "the order of a subtraction"),
    # texts
    Pair("create table t (a text check (trim(a) <> ''))", "create table t (a text check (trim(a) <> ''))", SAME, "PostgreSQL writes TRIM(BOTH FROM a)"),
    Pair("create table t (a text check (btrim(a, 'x') <> ''))", "create table t (a text check (trim(a, 'x') <> ''))", SAME, "the same characters"),
    Pair("create table t (a text check (btrim(a, 'x') <> ''))", "create table t (a text check (trim(a, 'y') <> ''))", DIFFERENT, "other characters"),
    Pair("create table t (a text check (ltrim(a) = a))", "create table t (a text check (ltrim(a) = a))", SAME, "blanks before it"),
    Pair("create table t (a text check (ltrim(a) = a))", "create table t (a text check (rtrim(a) = a))", DIFFERENT, "before or after it"),
    Pair("create table t (a text check (octet_length(a) <= 9))", "create table t (a text check (length(cast(a as blob)) <= 9))", SAME, "bytes"),
    Pair("create table t (a text, b text, check (coalesce(a, b) <> 'x'))", "create table t (a text, b text, check (ifnull(a, b) <> 'x'))", SAME, "ifnull is coalesce"),
    Pair("create table t (a text, b text, check (coalesce(a, b) <> 'x'))", "create table t (a text, b text, check (coalesce(b, a) <> 'x'))", DIFFERENT, "the first that is not null"),
    Pair("create table t (a timestamptz, b timestamptz, check (coalesce(a, '9999-12-31 00:00:00+00') > b))", "create table t (a text, b text, check (coalesce(a, '9999-12-31T00:00:00.000000Z') > b))", SAME, "one instant in two spellings"),
    Pair("create table t (a timestamptz, b timestamptz, check (coalesce(a, '9999-12-31 00:00:00+00') > b))", "create table t (a text, b text, check (coalesce(a, '9998-12-31T00:00:00.000000Z') > b))", DIFFERENT, "a year earlier"),
    # JSON
    Pair("create table t (j jsonb, check (j ->> 'a' = 'x'))", "create table t (j json, check (json_extract(j, '$.a') = 'x'))", SAME, "->> is json_extract"),
    Pair("create table t (j jsonb, check (j #>> '{a,b}' = 'x'))", "create table t (j json, check (j ->> '$.a.b' = 'x'))", SAME, "a path"),
    Pair("create table t (j jsonb, check (j -> 'a' ->> 'b' = 'x'))", "create table t (j json, check (j -> 'a' ->> 'b' = 'x'))", SAME, "two steps"),
    Pair("create table t (j jsonb, check (jsonb_extract_path_text(j, 'a', 'b') = 'x'))", "create table t (j json, check (json_extract(j, '$.a.b') = 'x'))", SAME, "the path as arguments"),
    Pair("create table t (j jsonb, check (j #>> '{a,0,b}' = 'x'))", "create table t (j json, check (json_extract(j, '$.a[0].b') = 'x'))", SAME, "a place in an array"),
    Pair("create table t (j jsonb, check (j #>> '{a,b,0}' = 'x'))", "create table t (j json, check (json_extract(j, '$.a[0].b') = 'x'))", DIFFERENT, "the order of steps"),
    Pair("create table t (j jsonb, g jsonb generated always as (j -> 'a') stored)", "create table t (j json, g json generated always as (j -> '$.a') stored)", SAME, "-> gives JSON on both"),
    Pair("create table t (j jsonb, g jsonb generated always as (j -> 'a') stored)", "create table t (j json, g json generated always as (json_extract(j, '$.a')) stored)", DIFFERENT, "json_extract gives a text without quotes"),
    Pair("create table t (j jsonb, check (j ->> 'a' = '1'))", "create table t (j json, check (j ->> 'a' = '1'))", DIFFERENT, "SQLite's ->> gives the number 1, which is no text"),
    Pair("create table t (j jsonb, check (jsonb_typeof(j -> 'a') = 'object'))", "create table t (j json, check (json_type(j, '$.a') = 'object'))", SAME, "the type at a path"),
    Pair("create table t (j jsonb, check (jsonb_typeof(j -> 'a') = 'object'))", "create table t (j json, check (json_type(j, '$.b') = 'object'))", DIFFERENT, "another path"),
    Pair("create table t (j jsonb, check (jsonb_typeof(j -> 'a') = 'object'))", "create table t (j json, check (json_type(j) = 'object'))", DIFFERENT, "no path"),
    Pair("create table t (j jsonb)", "create table t (j blob check (json_valid(j, 8)))", SAME, "JSONB"),
    Pair("create table t (j jsonb)", "create table t (j text check (json_valid(j, 2)))", DIFFERENT, "JSON5, which PostgreSQL refuses"),
    Pair("create table t (j jsonb)", "create table t (j blob check (json_valid(j, 4)))", DIFFERENT, "what only looks like JSONB"),
    # types and names
    Pair("create table t (a uuid)", "create table t (a binary(16))", SAME, "16 bytes"),
    Pair("create table t (a bytea)", "create table t (a varbinary(100))", SAME, "bytes"),
    Pair("create table t (a bytea)", "create table t (a bytea)", SAME, "a blob stays one under any affinity"),
    Pair("create table t (a interval)", "create table t (a interval)", DIFFERENT, "INT in the word makes it INTEGER"),
    Pair("create table users (id int)", "create table Users (Id int)", SAME, "PostgreSQL made the names lower case"),
    Pair('create table "Users" (id int)', "create table users (id int)", DIFFERENT, "PostgreSQL finds it only in quotes"),
    Pair('create table t ("createdAt" timestamptz)', "create table t (createdAt text)", SAME, "the name as it is"),
    # indexes
    Pair("create table t (a boolean, b int); create index i on t (b) where a", "create table t (a boolean, b int); create index i on t (b) where a = 1", SAME, "a is a = 1"),
    Pair("create table t (a boolean, b int); create index i on t (b) where a", "create table t (a boolean, b int); create index i on t (b) where a = 'true'", DIFFERENT, "an index without rows"),
    Pair("create table t (a jsonb); create index i on t ((a ->> 'b'))", "create table t (a json); create index i on t (a ->> 'b')", SAME, "an expression"),
    # triggers and views
    Pair("create table t (a int); create function f() returns trigger language plpgsql as 'begin return null; end'; create trigger x after insert or delete on t for each row execute function f()", "create table t (a int); create trigger x_insert after insert on t begin select 1; end; create trigger x_delete after delete on t begin select 1; end", SAME, "two triggers of SQLite face one"),
    Pair("create table t (a int); create function f() returns trigger language plpgsql as 'begin return null; end'; create trigger x after insert or delete on t for each row execute function f()", "create table t (a int); create trigger x_insert after insert on t begin select 1; end", DIFFERENT, "an event is missing"),
    Pair("create table t (a int); create function f() returns trigger language plpgsql as 'begin if new.a = 1 then new.a := 2; end if; return new; end'; create trigger x before update on t for each row execute function f()", "create table t (a int); create trigger x after update on t begin select 1; end", SAME, "it changes the row, which SQLite can do only afterwards"),
    Pair("create table t (a int); create function f() returns trigger language plpgsql as 'begin if new.a = 1 then return null; end if; return new; end'; create trigger x before update on t for each row execute function f()", "create table t (a int); create trigger x after update on t begin select 1; end", DIFFERENT, "it only looks at the row"),
    Pair("create table t (a int, b int); create view v as select a, b from t", "create table t (a int, b int); create view v as select b, a from t", SAME, "the order of columns does not matter"),
    Pair("create table t (a int, b int); create view v as select a, b from t", "create table t (a int, b int); create view v as select a, b as c from t", DIFFERENT, "another name"),
    Pair("create table t (a int); create materialized view v as select a from t", "create table t (a int); create view v as select a from t", DIFFERENT, "a materialized view is not up to date"),
]  # fmt: skip
