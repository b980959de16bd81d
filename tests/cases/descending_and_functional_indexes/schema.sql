create table descending_and_functional_indexes (
  a int, b varchar(9), n int, updated_at timestamp default current_timestamp on update current_timestamp,
  primary key (a desc, b), key (n desc, a), key ((upper(b))), unique key twice ((n * 2)));
insert into descending_and_functional_indexes (a, b, n) values (1, 'x', 10), (1, 'y', 20), (2, 'x', 30), (-3, 'z', 40);
