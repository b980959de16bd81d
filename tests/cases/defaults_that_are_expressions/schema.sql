create table defaults_that_are_expressions (
  id int primary key, u char(36) default (uuid()), j json default (json_array(1, 'x')), b blob default (x'00ff'),
  t text default ('it''s, (so)'), d date default (date '2020-02-28' + interval 1 day), n int default (abs(-3) + 1),
  g int as (n + 1) stored, updated_at timestamp(3) default current_timestamp(3) on update current_timestamp(3));
insert into defaults_that_are_expressions (id) values (1), (2);
update defaults_that_are_expressions set u = 'x', n = 7 where id = 2;
