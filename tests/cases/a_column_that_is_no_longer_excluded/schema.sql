create table a_column_that_is_no_longer_excluded (id int primary key, v int, updated_at timestamp);
insert into a_column_that_is_no_longer_excluded (id, v) values (1, 10), (2, 20);
