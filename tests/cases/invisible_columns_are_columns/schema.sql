create table invisible_columns_are_columns (id int, v int invisible default 7);
insert into invisible_columns_are_columns (id) values (1);
