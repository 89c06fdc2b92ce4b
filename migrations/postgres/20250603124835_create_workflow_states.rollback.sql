-- Loses every workflow execution. The table's indexes go with it.
drop table workflow_states;
