update keys_of_mysql_that_differ_in_trailing_blanks_alone set v = 12 where k = 'A ';
update keys_of_mysql_that_differ_in_trailing_blanks_alone set v = 16 where k = 'e';
