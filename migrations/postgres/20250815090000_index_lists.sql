-- Lists stay fast at a million rows: without these, "the latest 50 that failed" reads all that ever failed.
-- With many rows, PostgreSQL would need `create index concurrently` and a file that is not transactional.
-- safe: made before the first release, on tables that are small

-- The newest runs with a status, of a workflow, and of both: one of each, since the order is theirs to give.
create index ix_workflow_states_status_created_at
on workflow_states (status, created_at desc, workflow_exec_id desc);

create index ix_workflow_states_workflow_id_created_at
on workflow_states (workflow_id, created_at desc, workflow_exec_id desc);

create index ix_workflow_states_workflow_id_status_created_at
on workflow_states (workflow_id, status, created_at desc, workflow_exec_id desc);

-- Tasks, oldest first: all, with a status, of an execution, of a workflow.
create index ix_task_states_created_at
on task_states (created_at, task_exec_id);

create index ix_task_states_status_created_at
on task_states (status, created_at, task_exec_id);

create index ix_task_states_workflow_exec_id_created_at
on task_states (workflow_exec_id, created_at, task_exec_id);

create index ix_task_states_workflow_id_created_at
on task_states (workflow_id, created_at, task_exec_id);

-- Users, newest first.
create index ix_users_created_at
on users (created_at desc, id desc);
