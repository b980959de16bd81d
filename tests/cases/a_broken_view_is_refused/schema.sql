create table a_broken_view_is_refused_base (id int);
create view a_broken_view_is_refused as select * from a_broken_view_is_refused_base;
drop table a_broken_view_is_refused_base;
