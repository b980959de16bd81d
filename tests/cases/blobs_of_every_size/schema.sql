create table blobs_of_every_size (t tinyblob, b blob, m mediumblob, l longblob);
insert into blobs_of_every_size values (x'00', x'80ff', 'text', repeat(x'0d0a', 3));
