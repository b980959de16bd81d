create table a_view_is_copied_whole_base (id int, v decimal(10,2), d date);
insert into a_view_is_copied_whole_base values (1, 1.5, '2020-01-01'), (2, 2.5, null);
create view a_view_is_copied_whole as select id, v * 2 as twice, d, 'x' as c, now() is not null as n from a_view_is_copied_whole_base;
