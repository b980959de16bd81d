create table zerofill_is_how_a_number_is_printed (
  i int(5) zerofill, b bigint zerofill, d decimal(10,2) zerofill, w decimal(65,30) zerofill, f float zerofill);
insert into zerofill_is_how_a_number_is_printed values (42, 18446744073709551615, 1.5, 1.25, 0.5), (0, 0, 0, 0, 0);
