create table text_beyond_the_limit_stops_the_table (id int, v mediumtext);
insert into text_beyond_the_limit_stops_the_table values (1, repeat('x', 65536)), (2, 'x');
