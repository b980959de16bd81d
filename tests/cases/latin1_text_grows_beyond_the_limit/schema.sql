-- 65,535 bytes in MySQL are 131,070 in UTF-8.
create table latin1_text_grows_beyond_the_limit (id int, v text character set latin1, w varchar(40000) character set latin1);
insert into latin1_text_grows_beyond_the_limit values (1, repeat('é', 65535), repeat('é', 20000));
