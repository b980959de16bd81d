create table fractions_of_a_second_of_every_precision (
  d0 datetime(0), d1 datetime(1), d3 datetime(3), d6 datetime(6), t2 timestamp(2), t6 timestamp(6) null);
insert into fractions_of_a_second_of_every_precision values
  ('2020-01-01 00:00:01', '2020-01-01 00:00:01.9', '2020-01-01 00:00:01.999', '2020-01-01 00:00:01.999999',
   '2020-01-01 00:00:01.99', '2020-01-01 00:00:01.000001');
