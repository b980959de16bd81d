create table nul_in_a_text_key_stops_the_table (k varchar(9) collate utf8mb4_bin primary key, updated_at timestamp);
insert into nul_in_a_text_key_stops_the_table (k) values ('a'), ('a\0');
