-- Loses the versions: every state begins again at 1.
alter table task_states drop column version;

alter table workflow_states drop column version;
