-- One row for each execution of a workflow: where it stands, what it was given, what came of it.
-- Timestamps end with the year 9999, which also keeps 'infinity' out: the client could not read it.
create table workflow_states (
    workflow_exec_id text collate "C" not null,
    workflow_id text collate "C" not null,
    status text collate "C" not null,
    usage jsonb,
    input jsonb,
    output jsonb,
    error jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint pk_workflow_states primary key (workflow_exec_id),
    constraint ck_workflow_states_workflow_exec_id check (length(workflow_exec_id) between 1 and 255),
    constraint ck_workflow_states_workflow_id check (length(workflow_id) between 1 and 255),
    constraint ck_workflow_states_status check (
        status in (
            'PENDING', 'RUNNING', 'WAITING', 'PAUSED', 'SUCCESS', 'FAILED', 'TIMED_OUT', 'CANCELED'
        )
    ),
    constraint ck_workflow_states_usage check (jsonb_typeof(usage) = 'array'),
    constraint ck_workflow_states_input check (jsonb_typeof(input) = 'object'),
    constraint ck_workflow_states_output check (jsonb_typeof(output) = 'object'),
    constraint ck_workflow_states_error check (jsonb_typeof(error) = 'object'),
    constraint ck_workflow_states_created_at check (
        created_at >= timestamptz '0001-01-01 00:00:00+00'
        and created_at < timestamptz '10000-01-01 00:00:00+00'
    ),
    constraint ck_workflow_states_updated_at check (
        updated_at >= timestamptz '0001-01-01 00:00:00+00'
        and updated_at < timestamptz '10000-01-01 00:00:00+00'
    )
);

-- The newest runs of all.
create index ix_workflow_states_created_at
on workflow_states (created_at desc, workflow_exec_id desc);

-- The latest execution of one workflow.
create index ix_workflow_states_workflow_id_updated_at
on workflow_states (workflow_id, updated_at desc, workflow_exec_id desc);
