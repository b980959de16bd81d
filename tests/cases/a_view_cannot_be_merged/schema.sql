create table a_view_cannot_be_merged_base (id int primary key, updated_at timestamp);
create view a_view_cannot_be_merged as select * from a_view_cannot_be_merged_base;
