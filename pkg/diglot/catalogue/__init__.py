"""The catalogue: one page, made to be read by a DBA, of every query and every table in both dialects."""
