update boolean_key set v = 3 where k = 1;
