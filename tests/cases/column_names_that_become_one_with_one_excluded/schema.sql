create table column_names_that_become_one_with_one_excluded (id int, `userId` int, `user_id` int);
insert into column_names_that_become_one_with_one_excluded values (1, 2, 3);
