-- One row for each state of a task: a task that is tried again has another row with the same task_id.
-- The execution stands first in every key, so that both tables can be distributed by it later, and a parent
-- is always a task of the same execution.
-- Timestamps are text of one width (2026-01-31T09:05:07.000123Z): the order of texts is the order in time.
-- '+0 days' makes every SQLite compute the date anew: else 3.40 lets February 30 pass, and all let 24:00.
-- "is null or": json_valid(null) is 0, not null, on SQLite 3.40.
create table task_states (
    workflow_exec_id text not null,
    task_exec_id text not null,
    task_id text not null,
    workflow_id text not null,
    component text not null,
    status text not null,
    execution_type text not null default 'basic',
    parent_state_id text,
    agent_id text,
    action_id text,
    tool_id text,
    usage text,
    input text,
    output text,
    error text,
    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
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
    constraint ck_task_states_usage check (
        usage is null or (json_valid(usage) and json_type(usage) = 'array')
    ),
    constraint ck_task_states_input check (
        input is null or (json_valid(input) and json_type(input) = 'object')
    ),
    constraint ck_task_states_output check (
        output is null or (json_valid(output) and json_type(output) = 'object')
    ),
    constraint ck_task_states_error check (
        error is null or (json_valid(error) and json_type(error) = 'object')
    ),
    constraint ck_task_states_created_at check (
        created_at >= '0001'
        and created_at glob '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
        and date(substr(created_at, 1, 19), '+0 days') is substr(created_at, 1, 10)
    ),
    constraint ck_task_states_updated_at check (
        updated_at >= '0001'
        and updated_at glob '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
        and date(substr(updated_at, 1, 19), '+0 days') is substr(updated_at, 1, 10)
    ),
    constraint ck_task_states_parent_is_another check (parent_state_id <> task_exec_id),
    constraint ck_task_states_execution_is_consistent check (
        execution_type not in ('basic', 'router')
        -- basic and router: no one named, or for basic alone an agent with its action, or a tool
        or (agent_id is null and action_id is null and tool_id is null)
        or (execution_type = 'basic' and agent_id is not null and action_id is not null and tool_id is null)
        or (execution_type = 'basic' and agent_id is null and action_id is null and tool_id is not null)
    )
) strict;

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
