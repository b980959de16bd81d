create table char_has_no_trailing_blanks_and_varchar_keeps_them (id int, c char(5), v varchar(5));
insert into char_has_no_trailing_blanks_and_varchar_keeps_them values (1, 'a  ', 'a  '), (2, '  ', '  '), (3, ' a', ' a');
