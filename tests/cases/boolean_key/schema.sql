create table boolean_key (k tinyint(1) primary key, v int, updated_at timestamp default current_timestamp on update current_timestamp);
insert into boolean_key (k, v) values (0, 1), (1, 2);
