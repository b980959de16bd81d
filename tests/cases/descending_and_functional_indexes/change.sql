update descending_and_functional_indexes set n = 21 where a = 1 and b = 'y';
