create table binary_of_fixed_length_keeps_its_padding (id int, b binary(4), v varbinary(4));
insert into binary_of_fixed_length_keeps_its_padding values (1, x'ff00', x'ff00'), (2, '', ''), (3, x'20202020', x'2020');
