-- One row for each state of a task: a task that is tried again has another row with the same task_id.
-- The execution stands first in every key, so that both tables can be distributed by it later, and a parent
-- is always a task of the same execution.
-- Timestamps end with the year 9999, which also keeps 'infinity' out: the client could not read it.
create table task_states (
    workflow_exec_id text collate "C" not null,
    task_exec_id text collate "C" not null,
    task_id text collate "C" not null,
    workflow_id text collate "C" not null,
    component text collate "C" not null,
    status text collate "C" not null,
    execution_type text collate "C" not null default 'basic',
    parent_state_id text collate "C",
    agent_id text collate "C",
    action_id text collate "C",
    tool_id text collate "C",
    usage jsonb,
    input jsonb,
    output jsonb,
    error jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint pk_task_states primary key (workflow_exec_id, task_exec_id),
    constraint fk_task_states_workflow_exec_id foreign key (workflow_exec_id)
    references workflow_states (workflow_exec_id) on delete cascade,
    constraint fk_task_states_parent_state_id foreign key (workflow_exec_id, parent_state_id)
    references task_states (workflow_exec_id, task_exec_id) on delete cascade,
    constraint ck_task_states_workflow_exec_id check (length(workflow_exec_id) between 1 and 255),
    constraint ck_task_states_task_exec_id check (length(task_exec_id) between 1 and 255),
    constraint ck_task_states_task_id check (length(task_id) between 1 and 255),
    constraint ck_task_states_workflow_id check (length(workflow_id) between 1 and 255),
    constraint ck_task_states_component check (component in ('workflow', 'task', 'agent', 'tool', 'log')),
    constraint ck_task_states_status check (
        status in (
            'PENDING', 'RUNNING', 'WAITING', 'PAUSED', 'SUCCESS', 'FAILED', 'TIMED_OUT', 'CANCELED'
        )
    ),
    constraint ck_task_states_execution_type check (length(execution_type) between 1 and 255),
    constraint ck_task_states_parent_state_id check (length(parent_state_id) between 1 and 255),
    constraint ck_task_states_agent_id check (length(agent_id) between 1 and 255),
    constraint ck_task_states_action_id check (length(action_id) between 1 and 255),
    constraint ck_task_states_tool_id check (length(tool_id) between 1 and 255),
    constraint ck_task_states_usage check (jsonb_typeof(usage) = 'array'),
    constraint ck_task_states_input check (jsonb_typeof(input) = 'object'),
    constraint ck_task_states_output check (jsonb_typeof(output) = 'object'),
    constraint ck_task_states_error check (jsonb_typeof(error) = 'object'),
    constraint ck_task_states_created_at check (
        created_at >= timestamptz '0001-01-01 00:00:00+00'
        and created_at < timestamptz '10000-01-01 00:00:00+00'
    ),
    constraint ck_task_states_updated_at check (
        updated_at >= timestamptz '0001-01-01 00:00:00+00'
        and updated_at < timestamptz '10000-01-01 00:00:00+00'
    ),
    constraint ck_task_states_parent_is_another check (parent_state_id <> task_exec_id),
    constraint ck_task_states_execution_is_consistent check (
        execution_type not in ('basic', 'router')
        -- basic and router: no one named, or for basic alone an agent with its action, or a tool
        or (agent_id is null and action_id is null and tool_id is null)
        or (execution_type = 'basic' and agent_id is not null and action_id is not null and tool_id is null)
        or (execution_type = 'basic' and agent_id is null and action_id is null and tool_id is not null)
    )
);

-- A task's id alone finds it, and the same id can't be used in two executions.
create unique index uq_task_states_task_exec_id
on task_states (task_exec_id);

-- The children of a task, oldest first; a deleted task's children are found by it too.
create index ix_task_states_workflow_exec_id_parent_state_id
on task_states (workflow_exec_id, parent_state_id, created_at, task_exec_id);

-- The states of one task of an execution.
create index ix_task_states_workflow_exec_id_task_id
on task_states (workflow_exec_id, task_id, created_at, task_exec_id);

-- Workflows by task, by agent and by tool. Most tasks have no agent, many no tool: they are left out.
create index ix_task_states_workflow_id_task_id
on task_states (workflow_id, task_id, created_at, task_exec_id);

create index ix_task_states_workflow_id_agent_id
on task_states (workflow_id, agent_id, created_at, task_exec_id)
where agent_id is not null;

create index ix_task_states_workflow_id_tool_id
on task_states (workflow_id, tool_id, created_at, task_exec_id)
where tool_id is not null;
