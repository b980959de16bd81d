create table boolean_is_for_tinyint_and_bit_1 (a int, b bit(2), c char(1));
