-- Loses no data; the lists are slow without them.
drop index ix_users_created_at;

drop index ix_task_states_workflow_id_created_at;

drop index ix_task_states_workflow_exec_id_created_at;

drop index ix_task_states_status_created_at;

drop index ix_task_states_created_at;

drop index ix_workflow_states_workflow_id_status_created_at;

drop index ix_workflow_states_workflow_id_created_at;

drop index ix_workflow_states_status_created_at;
