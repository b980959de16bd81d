create table latin1_text_becomes_utf8 (id int, v varchar(20) character set latin1, c char(4) character set latin1);
insert into latin1_text_becomes_utf8 values (1, 'é ÿ € ž', 'ß'), (2, '', '');
