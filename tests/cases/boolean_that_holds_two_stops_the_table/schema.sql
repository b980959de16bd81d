create table boolean_that_holds_two_stops_the_table (id int, v tinyint(1));
insert into boolean_that_holds_two_stops_the_table values (1, 1), (2, 2), (3, -1), (4, null), (5, 0);
