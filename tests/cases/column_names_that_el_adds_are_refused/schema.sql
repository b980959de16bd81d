create table column_names_that_el_adds_are_refused (id int, `_seq` int);
