create table column_names_that_become_one_are_refused (id int, `userId` int, `user_id` int);
