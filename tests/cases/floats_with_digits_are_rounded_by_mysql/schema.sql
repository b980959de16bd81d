create table floats_with_digits_are_rounded_by_mysql (id int, f float(7,4), d double(10,3), u double unsigned);
insert into floats_with_digits_are_rounded_by_mysql values (1, 999.00009, 1234567.8912, 0.1);
