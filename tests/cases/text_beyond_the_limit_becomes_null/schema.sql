create table text_beyond_the_limit_becomes_null (id int, v mediumtext, b longblob);
insert into text_beyond_the_limit_becomes_null values
  (1, repeat('x', 65536), repeat('y', 64001)), (2, 'x', 'y'), (3, null, null), (4, repeat('€', 21846), '');
