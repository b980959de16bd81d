create table tinyint_of_one_digit_is_a_number (id int, v tinyint(1));
insert into tinyint_of_one_digit_is_a_number values (1, -1), (2, 0), (3, 1), (4, 2), (5, 127), (6, null);
