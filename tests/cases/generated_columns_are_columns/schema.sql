create table generated_columns_are_columns (
  id int, a int, v int as (a * 2) virtual, s varchar(10) as (concat('x', a)) stored, j json, k int as (json_value(j, '$.k')) virtual);
insert into generated_columns_are_columns (id, a, j) values (1, 21, '{"k": 5}'), (2, null, null);
