create table text_that_is_no_utf8 (k varchar(9) character set ucs2, updated_at timestamp);
insert into text_that_is_no_utf8 (k) values (_ucs2 x'D800');
