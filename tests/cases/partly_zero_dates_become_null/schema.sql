set session sql_mode = '';
create table partly_zero_dates_become_null (id int, d date, m datetime);
insert into partly_zero_dates_become_null values
  (1, '2020-00-10', '2020-10-00 01:02:03'), (2, '2020-00-00', '0000-12-31 23:59:59'), (3, '0000-01-01', '2020-10-10');
