create table `abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijTbUc` (id int);
insert into `abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijTbUc` values (1);
