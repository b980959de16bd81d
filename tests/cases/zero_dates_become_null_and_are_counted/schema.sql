set session sql_mode = '';
create table zero_dates_become_null_and_are_counted (id int, d date, m datetime(3), t timestamp null);
insert into zero_dates_become_null_and_are_counted values
  (1, '0000-00-00', '0000-00-00', '0000-00-00'), (2, null, null, null), (3, '2024-02-29', '2024-02-29', '2024-02-29');
