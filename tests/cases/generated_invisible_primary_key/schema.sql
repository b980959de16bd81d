set session sql_generate_invisible_primary_key = on;
create table generated_invisible_primary_key (
  v int, hidden int invisible, updated_at timestamp default current_timestamp on update current_timestamp);
insert into generated_invisible_primary_key (v, hidden) values (10, 1), (20, 2), (20, 2);
