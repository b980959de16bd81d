set session group_concat_max_len = 100000;
set @columns = (
  with recursive one_to_40 (n) as (select 1 union all select n + 1 from one_to_40 where n < 40),
  one_to_1600 (n) as (select a.n * 40 - 40 + b.n from one_to_40 a, one_to_40 b)
  select group_concat('c', n, ' int default ', n order by n separator ', ') from one_to_1600 where n <= 1000);
set @made = concat('create table one_thousand_columns (', @columns, ')');
prepare made from @made;
execute made;
insert into one_thousand_columns (c1) values (1);
