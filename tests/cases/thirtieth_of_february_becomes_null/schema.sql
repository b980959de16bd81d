set session sql_mode = 'ALLOW_INVALID_DATES';
create table thirtieth_of_february_becomes_null (id int, d date, m datetime);
insert into thirtieth_of_february_becomes_null values
  (1, '2023-02-30', '2023-04-31'), (2, '2023-02-29', '2024-02-29'), (3, '2024-02-29', '2100-02-29 12:00:00');
