set session sql_mode = '';
create table enum_value_that_mysql_refused_is_empty (id int, v enum('a', 'b'));
insert into enum_value_that_mysql_refused_is_empty values (1, 'c'), (2, 'b');
