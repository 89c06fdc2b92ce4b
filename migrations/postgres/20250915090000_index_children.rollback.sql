-- Loses no data; the indexes are as they were.
drop index ix_task_states_workflow_exec_id_status;

drop index ix_task_states_workflow_exec_id_no_parent;

drop index ix_task_states_parent_state_id;

drop index ix_task_states_task_id;

-- The children of a task, oldest first; a deleted task's children are found by it too.
-- safe: made before the first release, on tables that are small
create index ix_task_states_workflow_exec_id_parent_state_id
on task_states (workflow_exec_id, parent_state_id, created_at, task_exec_id);

-- The states of one task of an execution.
-- safe: made before the first release, on tables that are small
create index ix_task_states_workflow_exec_id_task_id
on task_states (workflow_exec_id, task_id, created_at, task_exec_id);

alter table task_states alter column tool_id set statistics -1; -- noqa: PRS

alter table task_states alter column agent_id set statistics -1; -- noqa: PRS

alter table task_states alter column parent_state_id set statistics -1; -- noqa: PRS

alter table task_states alter column workflow_id set statistics -1; -- noqa: PRS

alter table task_states alter column task_id set statistics -1; -- noqa: PRS

alter table task_states alter column workflow_exec_id set statistics -1; -- noqa: PRS
