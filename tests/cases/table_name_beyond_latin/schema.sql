create table `Überweisungen` (id int);
insert into `Überweisungen` values (1);
