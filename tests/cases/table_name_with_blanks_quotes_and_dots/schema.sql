create table `Order Lines 50% "a.b" it's {0}` (id int primary key, v int, updated_at timestamp);
insert into `Order Lines 50% "a.b" it's {0}` (id, v) values (1, 2);
