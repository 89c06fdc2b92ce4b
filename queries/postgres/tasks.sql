-- Task states. Order: write, read one, read several, list, change, delete.

-- name: upsert_task(workflow_exec_id, task_exec_id, task_id, workflow_id, component, status, execution_type, parent_state_id, agent_id, action_id, tool_id, usage, input, output, error, now)^
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
-- idempotent: sent again it writes the same row, only the version counts once more
-- Insert, or update all but created_at; the version grows by one.
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
returning
    version,
    created_at,
    updated_at;

-- name: upsert_tasks(workflow_exec_id, task_exec_id, task_id, workflow_id, component, status, execution_type, parent_state_id, agent_id, action_id, tool_id, usage, input, output, error, now)*!
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
-- idempotent: sent again it writes the same row, only the version counts once more
-- As upsert_task, for many at once; parents stand before their children.
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
    updated_at = excluded.updated_at;

-- name: insert_task(workflow_exec_id, task_exec_id, task_id, workflow_id, component, status, execution_type, parent_state_id, agent_id, action_id, tool_id, usage, input, output, error, now)^
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
-- Insert a new task state; no row when its id is taken in this execution.
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

-- name: update_task(workflow_exec_id, task_exec_id, task_id, workflow_id, component, status, execution_type, parent_state_id, agent_id, action_id, tool_id, usage, input, output, error, now, version)^
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
-- returns: Stored
-- Update if the stored version is still this one; no row otherwise.
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
returning
    version,
    created_at,
    updated_at;

-- name: execution_of_task(task_exec_id)$
-- param: task_exec_id text
-- returns: text?
-- The execution that a task belongs to.
select workflow_exec_id
from task_states
where task_exec_id = :task_exec_id;

-- name: get_task(task_exec_id, workflow_exec_id)^
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

-- name: lock_task(workflow_exec_id, task_exec_id)^
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

-- name: child(workflow_exec_id, parent_state_id, task_id)^
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

-- name: get_tasks(ids)
-- param: ids text[]
-- returns: TaskState
-- Several task states by their ids, in no order that counts.
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

-- name: latest_tasks(workflow_exec_id)
-- param: workflow_exec_id text
-- returns: TaskState
-- The newest state of each task_id of an execution.
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
inner join task_states as task
    on
        ranked.workflow_exec_id = task.workflow_exec_id
        and ranked.task_exec_id = task.task_exec_id
where ranked.age = 1
order by task.task_id;

-- name: latest_tasks_of(ids)
-- param: ids text[]
-- returns: TaskState
-- The newest state of each task_id of several executions.
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
inner join task_states as task
    on
        ranked.workflow_exec_id = task.workflow_exec_id
        and ranked.task_exec_id = task.task_exec_id
where ranked.age = 1
order by task.workflow_exec_id, task.task_id;

-- name: root_statuses(workflow_exec_id)
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

-- name: child_outputs(workflow_exec_id, parent_state_id)
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

-- name: progress(workflow_exec_id, parent_state_id)
-- param: workflow_exec_id text
-- param: parent_state_id text
-- returns: StatusCount
-- How many children have which status: the newest state of each task_id under a parent.
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

-- name: tree(workflow_exec_id, task_exec_id, max_depth)
-- param: workflow_exec_id text
-- param: task_exec_id text
-- param: max_depth int
-- returns: TreeNode
-- A task and its descendants down to max_depth, parents before children, siblings by creation.
with recursive descendant (task_exec_id, depth) as (
    select
        root.task_exec_id,
        0
    from task_states as root
    where
        root.workflow_exec_id = :workflow_exec_id
        and root.task_exec_id = :task_exec_id
    union all
    select
        child.task_exec_id,
        parent.depth + 1
    from descendant as parent
    inner join task_states as child
        on
            child.workflow_exec_id = :workflow_exec_id
            and parent.task_exec_id = child.parent_state_id
    where parent.depth < :max_depth
)

select
    descendant.depth,
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
from descendant
inner join task_states as task
    on
        task.workflow_exec_id = :workflow_exec_id
        and descendant.task_exec_id = task.task_exec_id
order by descendant.depth, task.created_at, task.task_exec_id;

-- name: list_tasks(status, workflow_id, workflow_exec_id, task_id, parent_state_id, no_parent, agent_id, action_id, tool_id, execution_type, after_created_at, after_id, limit)
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
-- plan: scan because a filter that no list is made for (an action, an execution type, an agent or tool anywhere) is rare
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
limit :limit;

-- name: summarize_tasks(workflow_exec_id, parent_state_id, status, after_created_at, after_id, limit)
-- param: workflow_exec_id text
-- param: parent_state_id text?
-- param: status text?
-- param: after_created_at timestamp?
-- param: after_id text?
-- param: limit int
-- returns: TaskSummary
-- One page of the tasks of an execution, or of a parent, oldest first, without what they hold.
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
limit :limit;

-- name: set_task_usage(workflow_exec_id, task_exec_id, usage, now)^
-- param: workflow_exec_id text
-- param: task_exec_id text
-- param: usage json?
-- param: now timestamp
-- returns: TaskState
-- Store merged usage; the row is locked by the caller.
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

-- name: delete_task(workflow_exec_id, task_exec_id)!
-- param: workflow_exec_id text
-- param: task_exec_id text
-- Delete a task state; its children go too.
delete from task_states
where
    workflow_exec_id = :workflow_exec_id
    and task_exec_id = :task_exec_id;
