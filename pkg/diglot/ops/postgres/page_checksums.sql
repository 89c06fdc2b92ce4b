-- Whether pages on the disk have checksums, and how many pages of this database did not match theirs.
select
    current_setting('data_checksums') = 'on',
    checksum_failures
from pg_catalog.pg_stat_database
where datname = current_database();
