create table unsigned_integers_get_the_next_wider_type (
  t tinyint unsigned, s smallint unsigned, m mediumint unsigned, i int unsigned, b bigint unsigned);
insert into unsigned_integers_get_the_next_wider_type values
  (0, 0, 0, 0, 0), (255, 65535, 16777215, 4294967295, 18446744073709551615);
