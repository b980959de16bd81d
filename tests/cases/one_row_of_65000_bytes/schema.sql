create table one_row_of_65000_bytes (id int, a varchar(8000), b varchar(4000), c varbinary(16900)) engine = myisam;
insert into one_row_of_65000_bytes values (1, repeat('🚑', 8000), repeat('é', 4000), repeat(x'ff', 16900));
