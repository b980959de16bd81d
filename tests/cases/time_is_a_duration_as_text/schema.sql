create table time_is_a_duration_as_text (id int, v time, f time(6));
insert into time_is_a_duration_as_text values (1, '-838:59:59', '-838:59:59'), (2, '838:59:59', '838:59:58.999999'),
  (3, '25:00:00', '-00:00:01.5'), (4, '00:00:00', '00:00:00'), (5, null, null);
