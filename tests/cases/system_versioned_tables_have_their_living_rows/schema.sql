create table system_versioned_tables_have_their_living_rows (
  id int primary key, v int, updated_at timestamp default current_timestamp on update current_timestamp) with system versioning;
insert into system_versioned_tables_have_their_living_rows (id, v) values (1, 10), (2, 20);
update system_versioned_tables_have_their_living_rows set v = 11 where id = 1;
