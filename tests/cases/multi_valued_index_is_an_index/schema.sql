create table multi_valued_index_is_an_index (
  id int primary key, j json, updated_at timestamp default current_timestamp on update current_timestamp,
  key ((cast(j -> '$.ids' as unsigned array))));
insert into multi_valued_index_is_an_index (id, j) values (1, '{"ids": [1, 2]}'), (2, null), (3, '{"ids": []}'), (4, '{}');
