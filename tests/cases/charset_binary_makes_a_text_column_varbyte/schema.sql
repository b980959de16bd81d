-- MySQL turns it into VARBINARY and BLOB.
create table charset_binary_makes_a_text_column_varbyte (id int, v varchar(5) character set binary, t text character set binary);
insert into charset_binary_makes_a_text_column_varbyte values (1, x'00ff41', x'80');
