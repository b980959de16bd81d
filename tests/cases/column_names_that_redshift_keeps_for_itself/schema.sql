create table column_names_that_redshift_keeps_for_itself (oid int, xmin double, xmax double, ctid int);
insert into column_names_that_redshift_keeps_for_itself values (1, 2, 3, 4);
