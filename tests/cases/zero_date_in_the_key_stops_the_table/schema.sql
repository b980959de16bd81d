set session sql_mode = '';
create table zero_date_in_the_key_stops_the_table (d date primary key, updated_at timestamp);
insert into zero_date_in_the_key_stops_the_table (d) values ('0000-00-00'), ('2020-01-01');
