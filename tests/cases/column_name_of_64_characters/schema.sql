create table column_name_of_64_characters (
  `aBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaB` int,
  `abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd` int);
insert into column_name_of_64_characters values (1, 2);
