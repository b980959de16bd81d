create table keys_without_a_place_in_unicode_stop_the_table (k varchar(9) character set greek primary key, updated_at timestamp);
insert into keys_without_a_place_in_unicode_stop_the_table (k) values (_greek x'61'), (_greek x'D2');
