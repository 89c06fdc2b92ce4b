-- Workflow executions. Order: write, read, list, change, delete.

-- name: upsert_workflow^
-- param: workflow_exec_id text
-- param: workflow_id text
-- param: status text
-- param: usage json?
-- param: input json?
-- param: output json?
-- param: error json?
-- param: now timestamp
-- returns: Stored
-- idempotent: sent again it writes the same row, only the version counts once more
-- Insert, or update all but created_at; the version increases by one.
insert into workflow_states (
    workflow_exec_id,
    workflow_id,
    status,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
)
values (
    :workflow_exec_id,
    :workflow_id,
    :status,
    :usage,
    :input,
    :output,
    :error,
    1,
    :now,
    :now
)
on conflict (workflow_exec_id) do update set
    workflow_id = excluded.workflow_id,
    status = excluded.status,
    usage = excluded.usage,
    input = excluded.input,
    output = excluded.output,
    error = excluded.error,
    version = workflow_states.version + 1,
    updated_at = excluded.updated_at
returning
    version,
    created_at,
    updated_at;

-- name: insert_workflow^
-- param: workflow_exec_id text
-- param: workflow_id text
-- param: status text
-- param: usage json?
-- param: input json?
-- param: output json?
-- param: error json?
-- param: now timestamp
-- returns: Stored
-- Insert a new execution; no row if its id is taken.
insert into workflow_states (
    workflow_exec_id,
    workflow_id,
    status,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
)
values (
    :workflow_exec_id,
    :workflow_id,
    :status,
    :usage,
    :input,
    :output,
    :error,
    1,
    :now,
    :now
)
on conflict (workflow_exec_id) do nothing
returning
    version,
    created_at,
    updated_at;

-- name: update_workflow^
-- param: workflow_exec_id text
-- param: workflow_id text
-- param: status text
-- param: usage json?
-- param: input json?
-- param: output json?
-- param: error json?
-- param: now timestamp
-- param: version int
-- returns: Stored
-- Update if the stored version is still this one; no row otherwise.
update workflow_states
set
    workflow_id = :workflow_id,
    status = :status,
    usage = :usage,
    input = :input,
    output = :output,
    error = :error,
    version = version + 1,
    updated_at = :now
where
    workflow_exec_id = :workflow_exec_id
    and version = :version
returning
    version,
    created_at,
    updated_at;

-- name: get_workflow^
-- param: workflow_exec_id text
-- returns: WorkflowState
-- One execution by its id.
select
    workflow_exec_id,
    workflow_id,
    status,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
from workflow_states
where workflow_exec_id = :workflow_exec_id;

-- name: lock_workflow^
-- param: workflow_exec_id text
-- returns: WorkflowState
-- differs: a row lock; it also makes new tasks of the execution wait
-- One execution, which nobody else can change until the transaction ends.
select
    workflow_exec_id,
    workflow_id,
    status,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
from workflow_states
where workflow_exec_id = :workflow_exec_id
for update;

-- name: latest_workflow^
-- param: workflow_id text
-- returns: WorkflowState
-- The execution of a workflow that changed last.
select
    workflow_exec_id,
    workflow_id,
    status,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
from workflow_states
where workflow_id = :workflow_id
order by updated_at desc, workflow_exec_id desc
limit 1;

-- name: find_by_task^
-- param: workflow_id text
-- param: task_id text
-- returns: WorkflowState
-- The execution of a workflow with the newest task state of this task.
select
    workflow.workflow_exec_id,
    workflow.workflow_id,
    workflow.status,
    workflow.usage,
    workflow.input,
    workflow.output,
    workflow.error,
    workflow.version,
    workflow.created_at,
    workflow.updated_at
from task_states as task
inner join workflow_states as workflow on task.workflow_exec_id = workflow.workflow_exec_id
where
    task.workflow_id = :workflow_id
    and task.task_id = :task_id
order by task.created_at desc, task.task_exec_id desc
limit 1;

-- name: find_by_agent^
-- param: workflow_id text
-- param: agent_id text
-- returns: WorkflowState
-- The execution of a workflow with the newest task state of this agent.
select
    workflow.workflow_exec_id,
    workflow.workflow_id,
    workflow.status,
    workflow.usage,
    workflow.input,
    workflow.output,
    workflow.error,
    workflow.version,
    workflow.created_at,
    workflow.updated_at
from task_states as task
inner join workflow_states as workflow on task.workflow_exec_id = workflow.workflow_exec_id
where
    task.workflow_id = :workflow_id
    and task.agent_id = :agent_id
order by task.created_at desc, task.task_exec_id desc
limit 1;

-- name: find_by_tool^
-- param: workflow_id text
-- param: tool_id text
-- returns: WorkflowState
-- The execution of a workflow with the newest task state of this tool.
select
    workflow.workflow_exec_id,
    workflow.workflow_id,
    workflow.status,
    workflow.usage,
    workflow.input,
    workflow.output,
    workflow.error,
    workflow.version,
    workflow.created_at,
    workflow.updated_at
from task_states as task
inner join workflow_states as workflow on task.workflow_exec_id = workflow.workflow_exec_id
where
    task.workflow_id = :workflow_id
    and task.tool_id = :tool_id
order by task.created_at desc, task.task_exec_id desc
limit 1;

-- name: list_workflows
-- param: status text?
-- param: workflow_id text?
-- param: ids text[]?
-- param: created_from timestamp?
-- param: created_before timestamp?
-- param: after_created_at timestamp?
-- param: after_id text?
-- param: limit int
-- returns: WorkflowState
-- differs: a limit that the planner does not know makes it read the list's index in its order, and never sort
-- plan: sort because no more rows are sorted than ids are given
-- One page of executions, newest first.
select
    workflow_exec_id,
    workflow_id,
    status,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
from workflow_states
where
    1 = 1
    /* if :status */ and status = :status /* end */
    /* if :workflow_id */ and workflow_id = :workflow_id /* end */
    /* if :ids */ and workflow_exec_id = any(:ids) /* end */
    /* if :created_from */ and created_at >= :created_from /* end */
    /* if :created_before */ and created_at < :created_before /* end */
    /* if :after_id */ and (created_at, workflow_exec_id) < (:after_created_at, :after_id) /* end */
order by created_at desc, workflow_exec_id desc
limit (select cast(:limit as bigint) as wanted);

-- name: size_workflows
-- param: status text?
-- param: workflow_id text?
-- param: ids text[]?
-- param: created_from timestamp?
-- param: created_before timestamp?
-- param: after_created_at timestamp?
-- param: after_id text?
-- param: limit int
-- returns: RowSize
-- plan: sort because no more rows are sorted than ids are given
-- differs: bytes of a text are octet_length on PostgreSQL, length of a blob on SQLite; the limit as in list_workflows
-- The bytes of the documents of each execution on a page: a page ends before they are too many.
select
    workflow_exec_id as id,
    coalesce(octet_length(cast(usage as text)), 0)
    + coalesce(octet_length(cast(input as text)), 0)
    + coalesce(octet_length(cast(output as text)), 0)
    + coalesce(octet_length(cast(error as text)), 0) as bytes
from workflow_states
where
    1 = 1
    /* if :status */ and status = :status /* end */
    /* if :workflow_id */ and workflow_id = :workflow_id /* end */
    /* if :ids */ and workflow_exec_id = any(:ids) /* end */
    /* if :created_from */ and created_at >= :created_from /* end */
    /* if :created_before */ and created_at < :created_before /* end */
    /* if :after_id */ and (created_at, workflow_exec_id) < (:after_created_at, :after_id) /* end */
order by created_at desc, workflow_exec_id desc
limit (select cast(:limit as bigint) as wanted);

-- name: summarize_workflows
-- param: status text?
-- param: workflow_id text?
-- param: after_created_at timestamp?
-- param: after_id text?
-- param: limit int
-- returns: WorkflowSummary
-- differs: a limit that the planner does not know makes it read the list's index in its order, and never sort
-- One page of executions, newest first, without their documents.
select
    workflow_exec_id,
    workflow_id,
    status,
    created_at,
    updated_at
from workflow_states
where
    1 = 1
    /* if :status */ and status = :status /* end */
    /* if :workflow_id */ and workflow_id = :workflow_id /* end */
    /* if :after_id */ and (created_at, workflow_exec_id) < (:after_created_at, :after_id) /* end */
order by created_at desc, workflow_exec_id desc
limit (select cast(:limit as bigint) as wanted);

-- name: stale_workflows
-- param: status text
-- param: before timestamp
-- param: after_created_at timestamp?
-- param: after_id text?
-- param: limit int
-- returns: WorkflowSummary
-- Executions with this status that have not changed since a time, and neither have their tasks; oldest first.
select
    workflow.workflow_exec_id,
    workflow.workflow_id,
    workflow.status,
    workflow.created_at,
    workflow.updated_at
from workflow_states as workflow
where
    workflow.status = :status
    and workflow.created_at < :before
    and workflow.updated_at < :before
    and not exists (
        select 1 as changed
        from task_states as task
        where
            task.workflow_exec_id = workflow.workflow_exec_id
            and task.updated_at >= :before
    )
    /* if :after_id */ and (workflow.created_at, workflow.workflow_exec_id) > (:after_created_at, :after_id) /* end */
order by workflow.created_at, workflow.workflow_exec_id
limit :limit;

-- name: prunable_workflows
-- param: status text
-- param: before timestamp
-- param: keep_last int?
-- param: after_created_at timestamp?
-- param: after_id text?
-- param: most int
-- param: weighed int
-- param: limit int
-- returns: Prunable
-- differs: bytes are those stored on PostgreSQL, which deletes a document without reading it
-- Executions with this status that have not changed since a time, oldest first, except the keep_last newest of each
-- workflow. Each has the number of its tasks, up to a limit, and the bytes of its documents and of those of its first
-- tasks.
select
    workflow.workflow_exec_id,
    workflow.created_at,
    (
        select count(*) as tasks
        from (
            select 1 as task
            from task_states as task
            where task.workflow_exec_id = workflow.workflow_exec_id
            order by task.created_at, task.task_exec_id
            limit :most
        ) as counted
    ) as task_count,
    coalesce(pg_column_size(workflow.usage), 0)
    + coalesce(pg_column_size(workflow.input), 0)
    + coalesce(pg_column_size(workflow.output), 0)
    + coalesce(pg_column_size(workflow.error), 0)
    + (
        select coalesce(sum(counted.bytes), 0) as bytes
        from (
            select
                coalesce(pg_column_size(task.usage), 0)
                + coalesce(pg_column_size(task.input), 0)
                + coalesce(pg_column_size(task.output), 0)
                + coalesce(pg_column_size(task.error), 0) as bytes
            from task_states as task
            where task.workflow_exec_id = workflow.workflow_exec_id
            order by task.created_at, task.task_exec_id
            limit :weighed
        ) as counted
    ) as bytes
from workflow_states as workflow
where
    workflow.status = :status
    and workflow.created_at < :before
    and workflow.updated_at < :before
    /* if :keep_last */ and :keep_last <= (
        select count(*) as newer
        from (
            select 1 as workflow
            from workflow_states as newer
            where
                newer.workflow_id = workflow.workflow_id
                and (newer.created_at, newer.workflow_exec_id) > (workflow.created_at, workflow.workflow_exec_id)
            order by newer.created_at desc, newer.workflow_exec_id desc
            limit :keep_last
        ) as counted
    ) /* end */
    /* if :after_id */ and (workflow.created_at, workflow.workflow_exec_id) > (:after_created_at, :after_id) /* end */
order by workflow.created_at, workflow.workflow_exec_id
limit :limit;

-- name: set_workflow_status^
-- param: workflow_exec_id text
-- param: status text
-- param: now timestamp
-- returns: WorkflowState
-- Change the status.
update workflow_states
set
    status = :status,
    version = version + 1,
    updated_at = :now
where workflow_exec_id = :workflow_exec_id
returning
    workflow_exec_id,
    workflow_id,
    status,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at;

-- name: set_workflow_usage^
-- param: workflow_exec_id text
-- param: usage json?
-- param: now timestamp
-- returns: WorkflowState
-- Store merged usage; the caller has locked the row.
update workflow_states
set
    usage = :usage,
    version = version + 1,
    updated_at = :now
where workflow_exec_id = :workflow_exec_id
returning
    workflow_exec_id,
    workflow_id,
    status,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at;

-- name: finish_workflow^
-- param: workflow_exec_id text
-- param: status text
-- param: output json?
-- param: error json?
-- param: now timestamp
-- returns: WorkflowState
-- Store how an execution ended; an existing error stays unless there is a new one.
update workflow_states
set
    status = :status,
    output = :output,
    /* if :error */ error = :error, /* end */
    version = version + 1,
    updated_at = :now
where workflow_exec_id = :workflow_exec_id
returning
    workflow_exec_id,
    workflow_id,
    status,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at;

-- name: delete_workflow!
-- param: workflow_exec_id text
-- Delete an execution and its tasks.
delete from workflow_states
where workflow_exec_id = :workflow_exec_id;

-- name: prune_workflows
-- param: ids text[]
-- param: before timestamp
-- returns: text
-- Delete executions that have ended and have not changed since a time, with their tasks; returns the ids of the deleted
-- ones, in no particular order.
delete from workflow_states
where
    workflow_exec_id = any(:ids)
    and status in ('SUCCESS', 'FAILED', 'TIMED_OUT', 'CANCELED')
    and updated_at < :before
returning workflow_exec_id;

-- name: mark_pruned!
-- param: workflow_exec_id text
-- param: error json
-- param: before timestamp
-- Mark an execution that has ended and has not changed since a time, before its tasks are deleted. updated_at stays as
-- it is: the next pruning must find it.
update workflow_states
set
    error = :error,
    version = version + 1
where
    workflow_exec_id = :workflow_exec_id
    and status in ('SUCCESS', 'FAILED', 'TIMED_OUT', 'CANCELED')
    and updated_at < :before;
