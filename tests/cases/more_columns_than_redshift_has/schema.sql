set session group_concat_max_len = 100000;
set @columns = (select group_concat('c', seq, ' tinyint' order by seq separator ', ') from seq_1_to_1597);
execute immediate concat('create table more_columns_than_redshift_has (', @columns, ') engine = aria');
