set session sql_mode = '';
create table years_are_numbers_and_year_zero_is_zero (id int, v year);
insert into years_are_numbers_and_year_zero_is_zero values (1, '0000'), (2, 1901), (3, 2155), (4, '69'), (5, '70');
