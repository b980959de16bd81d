create table dates_before_1000_and_up_to_9999 (id int, d date, m datetime(6));
insert into dates_before_1000_and_up_to_9999 values (1, '0001-01-01', '0001-01-01'),
  (2, '0999-12-31', '1582-10-10 12:00:00.5'), (3, '9999-12-31', '9999-12-31 23:59:59.999999');
