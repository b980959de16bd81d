create table integers_at_their_limits (t tinyint, s smallint, m mediumint, i int, b bigint);
insert into integers_at_their_limits values
  (-128, -32768, -8388608, -2147483648, -9223372036854775808),
  (127, 32767, 8388607, 2147483647, 9223372036854775807);
