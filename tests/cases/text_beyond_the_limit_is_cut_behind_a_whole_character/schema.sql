create table text_beyond_the_limit_is_cut_behind_a_whole_character (id int, v mediumtext, b mediumblob);
insert into text_beyond_the_limit_is_cut_behind_a_whole_character values
  (1, concat(repeat('x', 65533), '€'), repeat('ab', 32001)), (2, concat(repeat('x', 65532), '€y'), 'ab'),
  (3, concat(repeat('x', 65532), '€'), null), (4, null, '');
