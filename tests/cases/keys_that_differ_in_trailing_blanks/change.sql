update keys_that_differ_in_trailing_blanks set v = 12 where k = 'a ';
