create table keys_of_uuid_and_inet (
  u uuid, i inet6, v int, updated_at timestamp default current_timestamp on update current_timestamp, primary key (u, i));
insert into keys_of_uuid_and_inet (u, i, v) values
  ('f47ac10b-58cc-4372-a567-0e02b2c3d479', '::1', 1), ('f47ac10b-58cc-4372-a567-0e02b2c3d479', '2001:db8::1', 2),
  ('00000000-0000-0000-0000-000000000001', '::1', 3);
