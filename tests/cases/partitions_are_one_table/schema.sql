create table partitions_are_one_table (id int, k int, updated_at timestamp, primary key (id, k))
  partition by range (k) (partition p0 values less than (10), partition p1 values less than maxvalue);
insert into partitions_are_one_table (id, k) values (1, 5), (2, 50), (1, 50);
