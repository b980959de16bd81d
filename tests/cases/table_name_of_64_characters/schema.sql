-- As long as the local Redshift takes it; beyond what dlt takes as the name of a schema.
create table `abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij--Tb` (id int);
insert into `abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij--Tb` values (1);
