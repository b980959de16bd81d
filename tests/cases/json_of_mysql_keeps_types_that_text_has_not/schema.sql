-- What came as text, 1 to 6, has types that text gives it again; what MySQL made, 11 to 19, has its own.
create table json_of_mysql_keeps_types_that_text_has_not (id int primary key, j json);
insert into json_of_mysql_keeps_types_that_text_has_not values
  (1, '{"bb": 1, "a": {"c": [null, true, false]}, "": "x"}'), (2, '1.0'), (3, '1e2'), (4, '18446744073709551615'),
  (5, '[-9223372036854775808, 0.1, 0.001]'), (6, '"\\"\\\\\\n\\u00e9🚑/"'),
  (11, json_object('p', 1.10)), (12, cast(cast('2020-02-29' as date) as json)),
  (13, json_array(cast('-838:59:58.5' as time(1)))), (14, json_array(cast('2020-02-29 01:02:03' as datetime))),
  (15, json_array(x'00ff')), (17, json_array(cast(9 as unsigned), 1.5e0, 'x', true, null)),
  (18, json_object('d', json_object('e', json_array(1, 2.50)))), (19, st_asgeojson(point(1, 2)));
create temporary table bits (b bit(3));
insert into bits values (b'101');
insert into json_of_mysql_keeps_types_that_text_has_not select 16, json_array(b) from bits;
