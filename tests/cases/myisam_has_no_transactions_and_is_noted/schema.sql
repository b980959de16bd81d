create table myisam_has_no_transactions_and_is_noted (id int primary key, v int, updated_at timestamp) engine = myisam;
insert into myisam_has_no_transactions_and_is_noted (id, v) values (1, 10), (2, 20);
