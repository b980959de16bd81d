update generated_invisible_primary_key set v = 21, hidden = 3 where my_row_id = 2;
