create table json_values_of_every_kind (id int, j json);
insert into json_values_of_every_kind values (1, 'null'), (2, 'true'), (3, '-1.5'), (4, '"a\\u00e9🚑"'), (5, '[]'),
  (6, '{"a": [1, {"b": null}]}'), (7, null), (8, '""'), (9, '  [1 ,2]  ');
