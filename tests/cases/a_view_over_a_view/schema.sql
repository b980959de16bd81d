create table a_view_over_a_view_base (id int, g int);
insert into a_view_over_a_view_base values (1, 1), (2, 1), (3, 2);
create view a_view_over_a_view_inner as select g, count(*) as many, sum(id) as total from a_view_over_a_view_base group by g;
create view a_view_over_a_view as select * from a_view_over_a_view_inner where many > 1;
