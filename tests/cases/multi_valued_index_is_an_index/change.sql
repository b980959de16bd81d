update multi_valued_index_is_an_index set j = '{"ids": [7]}' where id = 4;
