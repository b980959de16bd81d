create table doubles_at_their_limits (id int, v double);
insert into doubles_at_their_limits values (1, 1.7976931348623157e308), (2, -1.7976931348623157e308),
  (3, 2.2250738585072014e-308), (4, 5e-324), (5, 1e-12), (6, 0.1), (7, 0.30000000000000004), (8, 0);
