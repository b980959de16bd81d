create table utf16_and_utf32_become_utf8 (
  id int, a varchar(20) character set utf16, b varchar(20) character set utf32, c varchar(20) character set ucs2,
  d varchar(20) character set utf8mb3, e text character set utf16le);
insert into utf16_and_utf32_become_utf8 values (1, 'a🚑é', '🚑', '漢', '€', '👩‍👩‍👧');
