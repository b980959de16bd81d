create table vector_that_is_excluded (id int primary key, v vector(3), w int);
insert into vector_that_is_excluded values (1, to_vector('[1, 2, 3]'), 7);
