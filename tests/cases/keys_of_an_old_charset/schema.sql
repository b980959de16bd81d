create table keys_of_an_old_charset (k varchar(9) character set cp1251 primary key, updated_at timestamp);
insert into keys_of_an_old_charset (k) values ('Жук'), ('жаба'), ('z ');
