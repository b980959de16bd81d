create temporary table a_temporary_table_is_no_table (id int);
