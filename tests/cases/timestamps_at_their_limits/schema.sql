create table timestamps_at_their_limits (id int, v timestamp(6) null);
insert into timestamps_at_their_limits values (1, '1970-01-01 00:00:01'), (2, '2038-01-19 03:14:07.999999');
