"""The catalogue: one page for the DBA, with every query and every table in both dialects."""
