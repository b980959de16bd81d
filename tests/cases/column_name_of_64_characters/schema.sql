-- Redshift takes 127 bytes; the local one's PostgreSQL cuts at 63, so these become no longer than that.
create table column_name_of_64_characters (
  `First name of the patient -- as it is written in the passport ..` int,
  `abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij --c` int);
insert into column_name_of_64_characters values (1, 2);
