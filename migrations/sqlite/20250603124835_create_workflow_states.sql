-- One row for each execution of a workflow: where it stands, what it was given, what came of it.
-- Timestamps are text of one width (2026-01-31T09:05:07.000123Z): the order of texts is the order in time.
-- '+0 days' makes every SQLite compute the date anew: else 3.40 lets February 30 pass, and all let 24:00.
-- "is null or": json_valid(null) is 0, not null, on SQLite 3.40.
create table workflow_states (
    workflow_exec_id text not null,
    workflow_id text not null,
    status text not null,
    usage text,
    input text,
    output text,
    error text,
    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    constraint pk_workflow_states primary key (workflow_exec_id),
    constraint ck_workflow_states_workflow_exec_id check (length(workflow_exec_id) between 1 and 255),
    constraint ck_workflow_states_workflow_id check (length(workflow_id) between 1 and 255),
    constraint ck_workflow_states_status check (
        status in (
            'PENDING', 'RUNNING', 'WAITING', 'PAUSED', 'SUCCESS', 'FAILED', 'TIMED_OUT', 'CANCELED'
        )
    ),
    constraint ck_workflow_states_usage check (
        usage is null or (json_valid(usage) and json_type(usage) = 'array')
    ),
    constraint ck_workflow_states_input check (
        input is null or (json_valid(input) and json_type(input) = 'object')
    ),
    constraint ck_workflow_states_output check (
        output is null or (json_valid(output) and json_type(output) = 'object')
    ),
    constraint ck_workflow_states_error check (
        error is null or (json_valid(error) and json_type(error) = 'object')
    ),
    constraint ck_workflow_states_created_at check (
        created_at >= '0001'
        and created_at glob '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
        and date(substr(created_at, 1, 19), '+0 days') is substr(created_at, 1, 10)
    ),
    constraint ck_workflow_states_updated_at check (
        updated_at >= '0001'
        and updated_at glob '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
        and date(substr(updated_at, 1, 19), '+0 days') is substr(updated_at, 1, 10)
    )
) strict;

-- The newest runs of all.
create index ix_workflow_states_created_at
on workflow_states (created_at desc, workflow_exec_id desc);

-- The latest execution of one workflow.
create index ix_workflow_states_workflow_id_updated_at
on workflow_states (workflow_id, updated_at desc, workflow_exec_id desc);
