create table another_policy_copies_every_row_again (id int primary key, v mediumtext, updated_at timestamp);
insert into another_policy_copies_every_row_again (id, v) values (1, repeat('x', 65536)), (2, 'y');
