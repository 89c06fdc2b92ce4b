"""Recorded workflow executions (WfFormat 1.5 traces) and how they are played into a database.

wfformat.py reads and refuses, plan.py finds the groups and the order, replay.py plays as an engine would,
latency.py says how long the calls took.
"""
