create table an_empty_text_is_not_null (id int, v varchar(5), t text, b blob, e enum('', 'x'), s set('x'));
insert into an_empty_text_is_not_null values (1, '', '', '', '', ''), (2, null, null, null, null, null);
