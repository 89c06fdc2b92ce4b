"""PostgreSQL stopped and started under load: ``python -m benchmarks.outages``."""
