create table system_versioned_with_a_period_of_its_own (
  id int, v int, s timestamp(6) generated always as row start, e timestamp(6) generated always as row end,
  updated_at timestamp default current_timestamp on update current_timestamp,
  period for system_time (s, e), primary key (id)) with system versioning;
insert into system_versioned_with_a_period_of_its_own (id, v) values (1, 10);
