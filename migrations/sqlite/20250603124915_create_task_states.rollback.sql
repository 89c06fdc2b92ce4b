-- Loses every task's states. The table's indexes go with it.
drop table task_states;
