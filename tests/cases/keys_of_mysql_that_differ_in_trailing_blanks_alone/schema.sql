-- MySQL's default collation is NO PAD and ignores case and accents: 'a' and 'a ' are two keys, 'a' and 'A' would be one.
create table keys_of_mysql_that_differ_in_trailing_blanks_alone (
  k varchar(10) character set utf8mb4 collate utf8mb4_0900_ai_ci primary key, v int,
  updated_at timestamp default current_timestamp on update current_timestamp);
insert into keys_of_mysql_that_differ_in_trailing_blanks_alone (k, v) values
  ('a', 1), ('a ', 2), ('a  ', 3), ('', 4), (' ', 5), ('É', 6), ('é ', 7);
