"""Proves that two hand-written dialect trees are one data layer: headers, parity, types, plans, migrations, drift."""
