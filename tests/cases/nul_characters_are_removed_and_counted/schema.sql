create table nul_characters_are_removed_and_counted (id int, v varchar(9), t text, b varbinary(9));
insert into nul_characters_are_removed_and_counted values
  (1, 'a\0b', '\0', 'a\0b'), (2, '\0\0', 'x', ''), (3, 'ab', null, null);
