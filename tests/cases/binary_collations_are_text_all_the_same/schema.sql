create table binary_collations_are_text_all_the_same (
  id int, a varchar(20) collate utf8mb4_bin, b varchar(20) binary, c varchar(20) character set latin1 collate latin1_bin);
insert into binary_collations_are_text_all_the_same values (1, 'aÉ', 'aÉ', 'aÉ');
