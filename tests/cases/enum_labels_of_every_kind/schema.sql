set session sql_mode = '';
create table enum_labels_of_every_kind (id int, v enum('1', '0', 'it''s', 'a,b', 'é "x"', 'A ', 'back\\slash', '🚑'));
insert into enum_labels_of_every_kind values
  (1, '1'), (2, '0'), (3, 'it''s'), (4, 'a,b'), (5, 'é "x"'), (6, 'A'), (7, 'back\\slash'), (8, '🚑'), (9, 1), (10, null);
