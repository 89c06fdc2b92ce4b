-- Loses every user. The table's indexes go with it.
drop table users;
