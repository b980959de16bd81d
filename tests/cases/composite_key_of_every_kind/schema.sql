set session sql_mode = '';
create table composite_key_of_every_kind (
  a int, b varchar(10) collate utf8mb4_general_ci, c date, d decimal(5,2), e enum('z', 'y'), f binary(2), v int,
  updated_at timestamp default current_timestamp on update current_timestamp, primary key (e, b, a, c, d, f));
insert into composite_key_of_every_kind (a, b, c, d, e, f, v) values
  (1, 'x', '2020-01-01', 1.5, 'z', x'0001', 1), (1, 'x', '2020-01-01', 1.5, 'y', x'0001', 2), (1, 'é', '2020-01-01', 1.5, 'z', x'0001', 3),
  (1, 'x', '2020-01-02', 1.5, 'z', x'0001', 4), (1, 'x', '2020-01-01', 1.51, 'z', x'0001', 5), (1, 'x', '2020-01-01', 1.5, 'z', x'00ff', 6);
