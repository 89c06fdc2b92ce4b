-- Task states. Order: write, read one, read several, list, change, delete.

-- name: upsert_task^
-- param: workflow_exec_id text
-- param: task_exec_id text
-- param: task_id text
-- param: workflow_id text
-- param: component text
-- param: status text
-- param: execution_type text
-- param: parent_state_id text?
-- param: agent_id text?
-- param: action_id text?
-- param: tool_id text?
-- param: usage json?
-- param: input json?
-- param: output json?
-- param: error json?
-- param: now timestamp
-- param: same_parent bool?
-- returns: Stored
-- idempotent: sent again it writes the same row, only the version counts once more
-- Insert, or update all but created_at; the version increases by one. With same_parent, if the stored task has another
-- parent, no row is returned and none is changed: a task may only be moved after a check of its ancestors.
insert into task_states (
    workflow_exec_id,
    task_exec_id,
    task_id,
    workflow_id,
    component,
    status,
    execution_type,
    parent_state_id,
    agent_id,
    action_id,
    tool_id,
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
    :task_exec_id,
    :task_id,
    :workflow_id,
    :component,
    :status,
    :execution_type,
    :parent_state_id,
    :agent_id,
    :action_id,
    :tool_id,
    :usage,
    :input,
    :output,
    :error,
    1,
    :now,
    :now
)
on conflict (workflow_exec_id, task_exec_id) do update set
    task_id = excluded.task_id,
    workflow_id = excluded.workflow_id,
    component = excluded.component,
    status = excluded.status,
    execution_type = excluded.execution_type,
    parent_state_id = excluded.parent_state_id,
    agent_id = excluded.agent_id,
    action_id = excluded.action_id,
    tool_id = excluded.tool_id,
    usage = excluded.usage,
    input = excluded.input,
    output = excluded.output,
    error = excluded.error,
    version = task_states.version + 1,
    updated_at = excluded.updated_at
/* if :same_parent */ where task_states.parent_state_id is not distinct from excluded.parent_state_id /* end */
returning
    version,
    created_at,
    updated_at;

-- name: upsert_tasks*!
-- param: workflow_exec_id text
-- param: task_exec_id text
-- param: task_id text
-- param: workflow_id text
-- param: component text
-- param: status text
-- param: execution_type text
-- param: parent_state_id text?
-- param: agent_id text?
-- param: action_id text?
-- param: tool_id text?
-- param: usage json?
-- param: input json?
-- param: output json?
-- param: error json?
-- param: now timestamp
-- param: same_parent bool?
-- idempotent: sent again it writes the same row, only the version counts once more
-- Like upsert_task, for many at once; parents come before their children. With same_parent, a stored task that has
-- another parent fails the batch: its version would be null.
insert into task_states (
    workflow_exec_id,
    task_exec_id,
    task_id,
    workflow_id,
    component,
    status,
    execution_type,
    parent_state_id,
    agent_id,
    action_id,
    tool_id,
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
    :task_exec_id,
    :task_id,
    :workflow_id,
    :component,
    :status,
    :execution_type,
    :parent_state_id,
    :agent_id,
    :action_id,
    :tool_id,
    :usage,
    :input,
    :output,
    :error,
    1,
    :now,
    :now
)
on conflict (workflow_exec_id, task_exec_id) do update set
    task_id = excluded.task_id,
    workflow_id = excluded.workflow_id,
    component = excluded.component,
    status = excluded.status,
    execution_type = excluded.execution_type,
    parent_state_id = excluded.parent_state_id,
    agent_id = excluded.agent_id,
    action_id = excluded.action_id,
    tool_id = excluded.tool_id,
    usage = excluded.usage,
    input = excluded.input,
    output = excluded.output,
    error = excluded.error,
    version = task_states.version + 1
    /* if :same_parent */
    + (
        select 0 as grown
        where task_states.parent_state_id is not distinct from excluded.parent_state_id -- noqa: RF01
    )
    /* end */,
    updated_at = excluded.updated_at;

-- name: insert_task^
-- param: workflow_exec_id text
-- param: task_exec_id text
-- param: task_id text
-- param: workflow_id text
-- param: component text
-- param: status text
-- param: execution_type text
-- param: parent_state_id text?
-- param: agent_id text?
-- param: action_id text?
-- param: tool_id text?
-- param: usage json?
-- param: input json?
-- param: output json?
-- param: error json?
-- param: now timestamp
-- returns: Stored
-- Insert a new task state; no row if its id is taken in this execution.
insert into task_states (
    workflow_exec_id,
    task_exec_id,
    task_id,
    workflow_id,
    component,
    status,
    execution_type,
    parent_state_id,
    agent_id,
    action_id,
    tool_id,
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
    :task_exec_id,
    :task_id,
    :workflow_id,
    :component,
    :status,
    :execution_type,
    :parent_state_id,
    :agent_id,
    :action_id,
    :tool_id,
    :usage,
    :input,
    :output,
    :error,
    1,
    :now,
    :now
)
on conflict (workflow_exec_id, task_exec_id) do nothing
returning
    version,
    created_at,
    updated_at;

-- name: update_task^
-- param: workflow_exec_id text
-- param: task_exec_id text
-- param: task_id text
-- param: workflow_id text
-- param: component text
-- param: status text
-- param: execution_type text
-- param: parent_state_id text?
-- param: agent_id text?
-- param: action_id text?
-- param: tool_id text?
-- param: usage json?
-- param: input json?
-- param: output json?
-- param: error json?
-- param: now timestamp
-- param: version int
-- param: same_parent bool?
-- returns: Stored
-- Update if the stored version (and with same_parent also the parent) is still this one; no row otherwise.
update task_states
set
    task_id = :task_id,
    workflow_id = :workflow_id,
    component = :component,
    status = :status,
    execution_type = :execution_type,
    parent_state_id = :parent_state_id,
    agent_id = :agent_id,
    action_id = :action_id,
    tool_id = :tool_id,
    usage = :usage,
    input = :input,
    output = :output,
    error = :error,
    version = version + 1,
    updated_at = :now
where
    workflow_exec_id = :workflow_exec_id
    and task_exec_id = :task_exec_id
    and version = :version
    /* if :same_parent */ and parent_state_id is not distinct from :parent_state_id /* end */
returning
    version,
    created_at,
    updated_at;

-- name: execution_of_task$
-- param: task_exec_id text
-- returns: text?
-- The execution that a task belongs to.
select workflow_exec_id
from task_states
where task_exec_id = :task_exec_id;

-- name: get_task^
-- param: task_exec_id text
-- param: workflow_exec_id text?
-- returns: TaskState
-- One task state by its id.
select
    workflow_exec_id,
    task_exec_id,
    task_id,
    workflow_id,
    component,
    status,
    execution_type,
    parent_state_id,
    agent_id,
    action_id,
    tool_id,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
from task_states
where
    task_exec_id = :task_exec_id
    /* if :workflow_exec_id */ and workflow_exec_id = :workflow_exec_id /* end */;

-- name: lock_task^
-- param: workflow_exec_id text
-- param: task_exec_id text
-- returns: TaskState
-- differs: a row lock
-- One task state, which nobody else can change until the transaction ends.
select
    workflow_exec_id,
    task_exec_id,
    task_id,
    workflow_id,
    component,
    status,
    execution_type,
    parent_state_id,
    agent_id,
    action_id,
    tool_id,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
from task_states
where
    workflow_exec_id = :workflow_exec_id
    and task_exec_id = :task_exec_id
for update;

-- name: child^
-- param: workflow_exec_id text
-- param: parent_state_id text
-- param: task_id text
-- returns: TaskState
-- The newest state of this task_id under a parent.
select
    workflow_exec_id,
    task_exec_id,
    task_id,
    workflow_id,
    component,
    status,
    execution_type,
    parent_state_id,
    agent_id,
    action_id,
    tool_id,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
from task_states
where
    workflow_exec_id = :workflow_exec_id
    and parent_state_id = :parent_state_id
    and task_id = :task_id
order by created_at desc, task_exec_id desc
limit 1;

-- name: get_tasks
-- param: ids text[]
-- returns: TaskState
-- differs: SQLite is told the order of the join
-- Several task states by their ids, in no particular order.
select
    workflow_exec_id,
    task_exec_id,
    task_id,
    workflow_id,
    component,
    status,
    execution_type,
    parent_state_id,
    agent_id,
    action_id,
    tool_id,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
from task_states
where task_exec_id = any(:ids);

-- name: latest_tasks
-- param: workflow_exec_id text
-- returns: TaskState
-- differs: a cross join does not fix the order of joins here; lateral with an order does
-- The newest state of each task_id in an execution.
select
    task.workflow_exec_id,
    task.task_exec_id,
    task.task_id,
    task.workflow_id,
    task.component,
    task.status,
    task.execution_type,
    task.parent_state_id,
    task.agent_id,
    task.action_id,
    task.tool_id,
    task.usage,
    task.input,
    task.output,
    task.error,
    task.version,
    task.created_at,
    task.updated_at
from (
    select
        workflow_exec_id,
        task_exec_id,
        row_number() over (partition by task_id order by created_at desc, task_exec_id desc) as age
    from task_states
    where workflow_exec_id = :workflow_exec_id
) as ranked
cross join lateral (
    select
        found.workflow_exec_id,
        found.task_exec_id,
        found.task_id,
        found.workflow_id,
        found.component,
        found.status,
        found.execution_type,
        found.parent_state_id,
        found.agent_id,
        found.action_id,
        found.tool_id,
        found.usage,
        found.input,
        found.output,
        found.error,
        found.version,
        found.created_at,
        found.updated_at
    from task_states as found
    where
        ranked.workflow_exec_id = found.workflow_exec_id
        and ranked.task_exec_id = found.task_exec_id
    order by found.task_exec_id
) as task
where ranked.age = 1
order by task.task_id;

-- name: latest_tasks_of
-- param: ids text[]
-- returns: TaskState
-- differs: a cross join does not fix the order of joins here; lateral with an order does
-- The newest state of each task_id in several executions.
select
    task.workflow_exec_id,
    task.task_exec_id,
    task.task_id,
    task.workflow_id,
    task.component,
    task.status,
    task.execution_type,
    task.parent_state_id,
    task.agent_id,
    task.action_id,
    task.tool_id,
    task.usage,
    task.input,
    task.output,
    task.error,
    task.version,
    task.created_at,
    task.updated_at
from (
    select
        workflow_exec_id,
        task_exec_id,
        row_number() over (
            partition by workflow_exec_id, task_id
            order by created_at desc, task_exec_id desc
        ) as age
    from task_states
    where workflow_exec_id = any(:ids)
) as ranked
cross join lateral (
    select
        found.workflow_exec_id,
        found.task_exec_id,
        found.task_id,
        found.workflow_id,
        found.component,
        found.status,
        found.execution_type,
        found.parent_state_id,
        found.agent_id,
        found.action_id,
        found.tool_id,
        found.usage,
        found.input,
        found.output,
        found.error,
        found.version,
        found.created_at,
        found.updated_at
    from task_states as found
    where
        ranked.workflow_exec_id = found.workflow_exec_id
        and ranked.task_exec_id = found.task_exec_id
    order by found.task_exec_id
) as task
where ranked.age = 1
order by task.workflow_exec_id, task.task_id;

-- name: root_statuses
-- param: workflow_exec_id text
-- returns: TaskStatus
-- The status of each root task: the newest state of each task_id that has no parent.
select
    ranked.task_id,
    ranked.status
from (
    select
        task_id,
        status,
        row_number() over (partition by task_id order by created_at desc, task_exec_id desc) as age
    from task_states
    where
        workflow_exec_id = :workflow_exec_id
        and parent_state_id is null
) as ranked
where ranked.age = 1
order by ranked.task_id;

-- name: child_outputs
-- param: workflow_exec_id text
-- param: parent_state_id text
-- returns: TaskOutput
-- The output of the newest state of each task_id under a parent.
select
    ranked.task_id,
    ranked.output
from (
    select
        task_id,
        output,
        row_number() over (partition by task_id order by created_at desc, task_exec_id desc) as age
    from task_states
    where
        workflow_exec_id = :workflow_exec_id
        and parent_state_id = :parent_state_id
) as ranked
where ranked.age = 1
order by ranked.task_id;

-- name: progress
-- param: workflow_exec_id text
-- param: parent_state_id text
-- returns: StatusCount
-- The number of children by status: the newest state of each task_id under a parent.
select
    ranked.status,
    count(*) as children
from (
    select
        status,
        row_number() over (partition by task_id order by created_at desc, task_exec_id desc) as age
    from task_states
    where
        workflow_exec_id = :workflow_exec_id
        and parent_state_id = :parent_state_id
) as ranked
where ranked.age = 1
group by ranked.status
order by ranked.status;

-- name: tree
-- param: workflow_exec_id text
-- param: task_exec_id text
-- param: max_depth int
-- returns: TreeNode
-- differs: a cross join does not fix the order of joins here; lateral with an order does
-- A task and its descendants down to max_depth, parents before children, siblings by creation. In a ring of parents
-- (old data may have one) it ends before the first task would be repeated.
with recursive descendant (
    depth,
    workflow_exec_id,
    task_exec_id,
    task_id,
    workflow_id,
    component,
    status,
    execution_type,
    parent_state_id,
    agent_id,
    action_id,
    tool_id,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
) as (
    select
        0,
        root.workflow_exec_id,
        root.task_exec_id,
        root.task_id,
        root.workflow_id,
        root.component,
        root.status,
        root.execution_type,
        root.parent_state_id,
        root.agent_id,
        root.action_id,
        root.tool_id,
        root.usage,
        root.input,
        root.output,
        root.error,
        root.version,
        root.created_at,
        root.updated_at
    from task_states as root
    where
        root.workflow_exec_id = :workflow_exec_id
        and root.task_exec_id = :task_exec_id
    union all
    select
        parent.depth + 1,
        child.workflow_exec_id,
        child.task_exec_id,
        child.task_id,
        child.workflow_id,
        child.component,
        child.status,
        child.execution_type,
        child.parent_state_id,
        child.agent_id,
        child.action_id,
        child.tool_id,
        child.usage,
        child.input,
        child.output,
        child.error,
        child.version,
        child.created_at,
        child.updated_at
    from descendant as parent
    cross join lateral (
        select
            task.workflow_exec_id,
            task.task_exec_id,
            task.task_id,
            task.workflow_id,
            task.component,
            task.status,
            task.execution_type,
            task.parent_state_id,
            task.agent_id,
            task.action_id,
            task.tool_id,
            task.usage,
            task.input,
            task.output,
            task.error,
            task.version,
            task.created_at,
            task.updated_at
        from task_states as task
        where
            task.workflow_exec_id = :workflow_exec_id
            and parent.task_exec_id = task.parent_state_id
            and task.task_exec_id <> :task_exec_id
        order by task.created_at, task.task_exec_id
    ) as child
    where parent.depth < :max_depth
)

select
    descendant.depth,
    descendant.workflow_exec_id,
    descendant.task_exec_id,
    descendant.task_id,
    descendant.workflow_id,
    descendant.component,
    descendant.status,
    descendant.execution_type,
    descendant.parent_state_id,
    descendant.agent_id,
    descendant.action_id,
    descendant.tool_id,
    descendant.usage,
    descendant.input,
    descendant.output,
    descendant.error,
    descendant.version,
    descendant.created_at,
    descendant.updated_at
from descendant
order by descendant.depth, descendant.created_at, descendant.task_exec_id;

-- name: list_tasks
-- param: status text?
-- param: workflow_id text?
-- param: workflow_exec_id text?
-- param: task_id text?
-- param: parent_state_id text?
-- param: no_parent bool?
-- param: agent_id text?
-- param: action_id text?
-- param: tool_id text?
-- param: execution_type text?
-- param: after_created_at timestamp?
-- param: after_id text?
-- param: limit int
-- returns: TaskState
-- differs: a limit that the planner does not know makes it read the list's index in its order, and never sort
-- plan: scan and sort because a filter that no list is made for (an action, an execution type, an agent or tool anywhere) is rare
-- One page of task states, oldest first.
select
    workflow_exec_id,
    task_exec_id,
    task_id,
    workflow_id,
    component,
    status,
    execution_type,
    parent_state_id,
    agent_id,
    action_id,
    tool_id,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at
from task_states
where
    1 = 1
    /* if :status */ and status = :status /* end */
    /* if :workflow_id */ and workflow_id = :workflow_id /* end */
    /* if :workflow_exec_id */ and workflow_exec_id = :workflow_exec_id /* end */
    /* if :task_id */ and task_id = :task_id /* end */
    /* if :parent_state_id */ and parent_state_id = :parent_state_id /* end */
    /* if :no_parent */ and parent_state_id is null /* end */
    /* if :agent_id */ and agent_id = :agent_id /* end */
    /* if :action_id */ and action_id = :action_id /* end */
    /* if :tool_id */ and tool_id = :tool_id /* end */
    /* if :execution_type */ and execution_type = :execution_type /* end */
    /* if :after_id */ and (created_at, task_exec_id) > (:after_created_at, :after_id) /* end */
order by created_at, task_exec_id
limit (select cast(:limit as bigint) as wanted);

-- name: size_tasks
-- param: status text?
-- param: workflow_id text?
-- param: workflow_exec_id text?
-- param: task_id text?
-- param: parent_state_id text?
-- param: no_parent bool?
-- param: agent_id text?
-- param: action_id text?
-- param: tool_id text?
-- param: execution_type text?
-- param: after_created_at timestamp?
-- param: after_id text?
-- param: limit int
-- returns: RowSize
-- plan: scan and sort because a filter that no list is made for (an action, an execution type, an agent or tool anywhere) is rare
-- differs: bytes of a text are octet_length on PostgreSQL, length of a blob on SQLite; the limit as in list_tasks
-- The bytes of the documents of each task on a page: a page ends before they are too many.
select
    task_exec_id as id,
    coalesce(octet_length(cast(usage as text)), 0)
    + coalesce(octet_length(cast(input as text)), 0)
    + coalesce(octet_length(cast(output as text)), 0)
    + coalesce(octet_length(cast(error as text)), 0) as bytes
from task_states
where
    1 = 1
    /* if :status */ and status = :status /* end */
    /* if :workflow_id */ and workflow_id = :workflow_id /* end */
    /* if :workflow_exec_id */ and workflow_exec_id = :workflow_exec_id /* end */
    /* if :task_id */ and task_id = :task_id /* end */
    /* if :parent_state_id */ and parent_state_id = :parent_state_id /* end */
    /* if :no_parent */ and parent_state_id is null /* end */
    /* if :agent_id */ and agent_id = :agent_id /* end */
    /* if :action_id */ and action_id = :action_id /* end */
    /* if :tool_id */ and tool_id = :tool_id /* end */
    /* if :execution_type */ and execution_type = :execution_type /* end */
    /* if :after_id */ and (created_at, task_exec_id) > (:after_created_at, :after_id) /* end */
order by created_at, task_exec_id
limit (select cast(:limit as bigint) as wanted);

-- name: size_of_executions$
-- param: ids text[]
-- returns: int
-- differs: the size of a text in bytes is octet_length on PostgreSQL, length of a blob on SQLite
-- The bytes of the documents of all tasks in several executions.
select
    cast(coalesce(sum(
        coalesce(octet_length(cast(usage as text)), 0)
        + coalesce(octet_length(cast(input as text)), 0)
        + coalesce(octet_length(cast(output as text)), 0)
        + coalesce(octet_length(cast(error as text)), 0)
    ), 0) as bigint) as bytes
from task_states
where workflow_exec_id = any(:ids);

-- name: summarize_tasks
-- param: workflow_exec_id text
-- param: parent_state_id text?
-- param: status text?
-- param: after_created_at timestamp?
-- param: after_id text?
-- param: limit int
-- returns: TaskSummary
-- differs: a limit that the planner does not know makes it read the list's index in its order, and never sort
-- One page of the tasks of an execution, or of a parent, oldest first, without their documents.
select
    task_exec_id,
    task_id,
    component,
    status,
    execution_type,
    parent_state_id,
    error,
    created_at,
    updated_at
from task_states
where
    workflow_exec_id = :workflow_exec_id
    /* if :parent_state_id */ and parent_state_id = :parent_state_id /* end */
    /* if :status */ and status = :status /* end */
    /* if :after_id */ and (created_at, task_exec_id) > (:after_created_at, :after_id) /* end */
order by created_at, task_exec_id
limit (select cast(:limit as bigint) as wanted);

-- name: set_task_usage^
-- param: workflow_exec_id text
-- param: task_exec_id text
-- param: usage json?
-- param: now timestamp
-- returns: TaskState
-- Store merged usage; the caller has locked the row.
update task_states
set
    usage = :usage,
    version = version + 1,
    updated_at = :now
where
    workflow_exec_id = :workflow_exec_id
    and task_exec_id = :task_exec_id
returning
    workflow_exec_id,
    task_exec_id,
    task_id,
    workflow_id,
    component,
    status,
    execution_type,
    parent_state_id,
    agent_id,
    action_id,
    tool_id,
    usage,
    input,
    output,
    error,
    version,
    created_at,
    updated_at;

-- name: lock_parents^
-- param: workflow_exec_id text
-- returns: text
-- differs: a row lock; new tasks of the execution need not wait for it
-- Lock an execution: until the transaction ends, nobody else can give one of its tasks another parent.
select workflow_exec_id
from workflow_states
where workflow_exec_id = :workflow_exec_id
for no key update;

-- name: ancestors
-- param: workflow_exec_id text
-- param: ids text[]
-- returns: TaskParent
-- differs: a cross join does not fix the order of joins here; lateral with an order does
-- Tasks and all their ancestors, each with its parent, in no particular order. A ring of parents is returned once.
with recursive ancestor (task_exec_id, parent_state_id) as (
    select
        task.task_exec_id,
        task.parent_state_id
    from task_states as task
    where
        task.workflow_exec_id = :workflow_exec_id
        and task.task_exec_id = any(:ids)
    union
    select
        above.task_exec_id,
        above.parent_state_id
    from ancestor as below
    cross join lateral (
        select
            task.task_exec_id,
            task.parent_state_id
        from task_states as task
        where
            task.workflow_exec_id = :workflow_exec_id
            and below.parent_state_id = task.task_exec_id
        order by task.task_exec_id
    ) as above
)

select
    ancestor.task_exec_id,
    ancestor.parent_state_id
from ancestor;

-- name: deep_tasks
-- param: workflow_exec_id text
-- param: task_exec_id text?
-- param: no_parent bool?
-- returns: text
-- differs: a cross join does not fix the order of joins here; lateral with an order does
-- The tasks of every 64th level below a task, or below all root tasks, in no particular order.
with recursive descendant (task_exec_id, depth) as (
    select
        root.task_exec_id,
        0
    from task_states as root
    where
        root.workflow_exec_id = :workflow_exec_id
        /* if :task_exec_id */ and root.task_exec_id = :task_exec_id /* end */
        /* if :no_parent */ and root.parent_state_id is null /* end */
    union all
    select
        child.task_exec_id,
        parent.depth + 1
    from descendant as parent
    cross join lateral (
        select task.task_exec_id
        from task_states as task
        where
            task.workflow_exec_id = :workflow_exec_id
            and parent.task_exec_id = task.parent_state_id
            /* if :task_exec_id */ and task.task_exec_id <> :task_exec_id /* end */
        order by task.created_at, task.task_exec_id
    ) as child
)

select descendant.task_exec_id
from descendant
where
    descendant.depth > 0
    and descendant.depth % 64 = 0;

-- name: cut_tasks*!
-- param: workflow_exec_id text
-- param: task_exec_id text
-- Detach tasks from their parents, just before all of them are deleted.
update task_states
set parent_state_id = null
where
    workflow_exec_id = :workflow_exec_id
    and task_exec_id = :task_exec_id;

-- name: delete_tasks*!
-- param: workflow_exec_id text
-- param: task_exec_id text
-- Delete task states and their children.
delete from task_states
where
    workflow_exec_id = :workflow_exec_id
    and task_exec_id = :task_exec_id;

-- name: changed_since$
-- param: workflow_exec_id text
-- param: before timestamp
-- returns: int
-- differs: row locks, so that a task that is being written is waited for, and counted; a where outside would be applied before the lock
-- The number of task states in an execution that changed since a time. Unfinished ones can't change until the
-- transaction ends.
select count(*) filter (where locked.updated_at >= :before) as changed
from (
    select task.updated_at
    from task_states as task
    where
        task.workflow_exec_id = :workflow_exec_id
        and (
            task.status in ('PENDING', 'RUNNING', 'WAITING', 'PAUSED')
            or task.updated_at >= :before
        )
    order by task.task_exec_id
    for no key update
) as locked;

-- name: end_tasks!
-- param: workflow_exec_id text
-- param: status text
-- param: now timestamp
-- End every unfinished task state in an execution.
update task_states
set
    status = :status,
    version = version + 1,
    updated_at = :now
where
    workflow_exec_id = :workflow_exec_id
    and status in ('PENDING', 'RUNNING', 'WAITING', 'PAUSED');

-- name: newest_tasks
-- param: workflow_exec_id text
-- param: limit int
-- returns: RowSize
-- differs: bytes are those stored on PostgreSQL, which deletes a document without reading it
-- The newest task states in an execution, newest first, each with the bytes of its documents.
select
    task_exec_id as id,
    coalesce(pg_column_size(usage), 0)
    + coalesce(pg_column_size(input), 0)
    + coalesce(pg_column_size(output), 0)
    + coalesce(pg_column_size(error), 0) as bytes
from task_states
where workflow_exec_id = :workflow_exec_id
order by created_at desc, task_exec_id desc
limit :limit;

-- name: tasks_before_parents
-- param: workflow_exec_id text
-- param: after_id text
-- param: limit int
-- returns: text
-- differs: a limit that the planner does not know makes it read the index in its order, and never sort
-- The ids, after a given one, of the task states in an execution that are older than their parents, in order.
select child.task_exec_id
from task_states as child
where
    child.workflow_exec_id = :workflow_exec_id
    and child.task_exec_id > :after_id
    and child.parent_state_id is not null
    and (child.created_at, child.task_exec_id) < (
        select
            parent.created_at,
            parent.task_exec_id
        from task_states as parent
        where
            parent.workflow_exec_id = :workflow_exec_id
            and parent.task_exec_id = child.parent_state_id
    )
order by child.task_exec_id
limit (select cast(:limit as bigint) as wanted);

-- name: prune_tasks!
-- param: workflow_exec_id text
-- param: ids text[]
-- param: before timestamp
-- Delete some task states, and their children, of an execution that has ended and has not changed since a time.
delete from task_states
where
    workflow_exec_id = :workflow_exec_id
    and task_exec_id = any(:ids)
    and exists (
        select 1 as ended
        from workflow_states as workflow
        where
            workflow.workflow_exec_id = :workflow_exec_id
            and workflow.status in ('SUCCESS', 'FAILED', 'TIMED_OUT', 'CANCELED')
            and workflow.updated_at < :before
    );
