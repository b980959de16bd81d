-- The keyed HMAC-SHA-256 of the text in the comment (UTF-8), of a binary column's bytes.
set session sql_mode = '';
create table hash_of_every_kind (
  id int, vc varchar(10), ch char(5) character set latin1, i int(5) zerofill, d decimal(10,2), f float, dt date, z date,
  ts timestamp(3) null, t time, b varbinary(5), j json, e enum('x'), bt bit(3), y year, n varchar(5), u /*M! uuid */ /*!80003 char(36) */);
insert into hash_of_every_kind values
  (1, 'Ann ', 'é ', 42, 1.5, 0.5, '2020-02-29', '0000-00-00', '2020-01-01 00:00:00.5', '-25:00:00', x'00ff', '{"a": 1}',
   'x', 5, 2020, 'a\0b', 'f47ac10b-58cc-4372-a567-0e02b2c3d479');
insert into hash_of_every_kind (id) values (2);
