"""Recorded workflow executions (WfFormat 1.5 traces), and how to replay them into a database.

wfformat.py reads and checks a trace, plan.py works out groups and order, replay.py writes as an engine would,
latency.py measures the calls.
"""
