create table a_table_without_rows (id int primary key, v varchar(10), j json, updated_at timestamp);
