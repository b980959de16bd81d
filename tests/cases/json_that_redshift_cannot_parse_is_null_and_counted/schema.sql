-- A NUL has no place in Redshift's text, escaped or not.
create table json_that_redshift_cannot_parse_is_null_and_counted (id int, j json, k json);
insert into json_that_redshift_cannot_parse_is_null_and_counted values
  (1, '"a\\u0000b"', '1'), (2, '{"a": "\\u0000"}', '"\\u0000"'), (3, '"a"', null);
