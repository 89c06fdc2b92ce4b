"""What Diglot costs over the driver, and what SQLAlchemy costs over it: ``make bench``, or ``python -m benchmarks``."""
