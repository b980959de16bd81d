create table json_beyond_the_limit_becomes_null (id int, j json);
insert into json_beyond_the_limit_becomes_null values
  (1, concat('"', repeat('x', 65534), '"')), (2, concat('"', repeat('x', 65533), '"')), (3, '[]');
