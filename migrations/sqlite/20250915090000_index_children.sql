-- Fewer indexes begin with workflow_exec_id. A planner that takes an execution for one row, because the table was small
-- when it looked, finds each of them as good as the right one, and reads the whole execution for every child of a task.

drop index ix_task_states_workflow_exec_id_parent_state_id;

drop index ix_task_states_workflow_exec_id_task_id;

-- The states of one task of an execution.
create index ix_task_states_task_id
on task_states (task_id, workflow_exec_id, created_at, task_exec_id);

-- The children of a task, oldest first; the foreign key finds a deleted task's children by it too.
create index ix_task_states_parent_state_id
on task_states (parent_state_id, workflow_exec_id, created_at, task_exec_id)
where parent_state_id is not null;

-- The root tasks of an execution, oldest first.
create index ix_task_states_workflow_exec_id_no_parent
on task_states (workflow_exec_id, created_at, task_exec_id)
where parent_state_id is null;

-- The tasks of an execution with a status, oldest first: above all those that failed.
create index ix_task_states_workflow_exec_id_status
on task_states (workflow_exec_id, status, created_at, task_exec_id);
