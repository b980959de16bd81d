create table hash_of_a_key_is_refused (id int primary key);
