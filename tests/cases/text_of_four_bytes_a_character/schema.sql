create table text_of_four_bytes_a_character (id int, v varchar(3), t tinytext);
insert into text_of_four_bytes_a_character values (1, '🚑🚑🚑', repeat('🚑', 63));
