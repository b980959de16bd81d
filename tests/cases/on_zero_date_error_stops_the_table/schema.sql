set session sql_mode = '';
create table on_zero_date_error_stops_the_table (id int, d date, m datetime);
insert into on_zero_date_error_stops_the_table values (1, '0000-00-00', '0000-00-00'), (2, '2020-01-01', '2020-01-01');
