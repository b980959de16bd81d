update system_versioned_tables_have_their_living_rows set v = 12 where id = 1;
