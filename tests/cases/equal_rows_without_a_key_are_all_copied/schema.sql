create table equal_rows_without_a_key_are_all_copied (v int);
insert into equal_rows_without_a_key_are_all_copied values (1), (1), (null), (null), (2);
