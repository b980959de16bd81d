create table timestamp_is_utc_and_datetime_as_written (id int, t timestamp null, d datetime);
set session time_zone = '+05:30';
insert into timestamp_is_utc_and_datetime_as_written values (1, '2020-01-01 05:30:00', '2020-01-01 05:30:00');
set session time_zone = '-08:00';
insert into timestamp_is_utc_and_datetime_as_written values (2, '2019-12-31 16:00:00', '2019-12-31 16:00:00');
