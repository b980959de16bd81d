create table vector_is_refused_by_name (id int primary key, v vector(3));
