create table bits_of_every_width_are_numbers (id int, a bit, b bit(8), c bit(63), d bit(64));
insert into bits_of_every_width_are_numbers values
  (1, b'1', b'10000001', 9223372036854775807, 18446744073709551615), (2, 0, 0, 0, 0), (3, null, null, null, null);
