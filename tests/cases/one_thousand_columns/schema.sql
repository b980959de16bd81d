set @columns = (select group_concat('c', seq, ' int default ', seq order by seq separator ', ') from seq_1_to_1000);
execute immediate concat('create table one_thousand_columns (', @columns, ')');
insert into one_thousand_columns (c1) values (1);
