-- Loses every API key: all have to be issued anew. The table's indexes go with it.
drop table api_keys;
