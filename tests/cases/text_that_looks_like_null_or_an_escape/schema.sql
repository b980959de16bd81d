create table text_that_looks_like_null_or_an_escape (id int, v varchar(40));
insert into text_that_looks_like_null_or_an_escape values (1, 'NULL'), (2, '\\N'), (3, 'a\tb\nc\rd'), (4, '\\'), (5, '''"`'),
  (6, '%s {0} $1 ?'), (7, ',|;'), (8, x'01021F7F'), (9, x'EFBBBF61');
