-- Whether pages on the disk have checksums.
select current_setting('data_checksums') = 'on';
