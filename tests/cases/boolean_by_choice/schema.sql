create table boolean_by_choice (id int, t tinyint(1), b bit(1), u tinyint(3) unsigned);
insert into boolean_by_choice values (1, 1, b'1', 1), (2, 0, b'0', 0), (3, null, null, null);
