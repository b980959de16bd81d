create table `select` (id int);
insert into `select` values (1);
