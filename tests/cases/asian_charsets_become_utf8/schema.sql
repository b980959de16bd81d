create table asian_charsets_become_utf8 (
  id int, s varchar(20) character set sjis, g varchar(20) character set gbk, b varchar(20) character set big5,
  j varchar(20) character set ujis, k varchar(20) character set euckr);
insert into asian_charsets_become_utf8 values (1, '表示ソ', '汉字啊', '漢字功', '日本語', '한국어');
