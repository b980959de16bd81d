create table on_oversize_for_a_key_can_only_be_error (k varchar(20) primary key);
