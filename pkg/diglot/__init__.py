"""Diglot: a raw-SQL data layer in two dialects."""

from diglot._version import __version__ as __version__
