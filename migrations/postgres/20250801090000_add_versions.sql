-- A version for each state, so that a writer can see that somebody else was faster (optimistic locking).
-- 9007199254740991 is 2^53 - 1, the largest integer that every JSON reader takes as it is.
-- The default is a constant, so no row is rewritten; the check reads each table once under its lock.
-- safe: made before the first release, on tables that are small
alter table workflow_states
add column version bigint not null default 1,
add constraint ck_workflow_states_version check (version between 1 and 9007199254740991);

-- safe: made before the first release, on tables that are small
alter table task_states
add column version bigint not null default 1,
add constraint ck_task_states_version check (version between 1 and 9007199254740991);
