create table column_names_of_every_kind (
  `id` int, `First Name` int, `createdAt` int, `it's` int, `say "hi"` int, `tick``tick` int, `a.b` int, `50%` int,
  `{0}` int, `%s?` int, `select` int, `USER` int, `group` int, `tag` int, `a$c` int, `semi;colon` int, `back\slash` int);
insert into column_names_of_every_kind values (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
