create table longtext_without_a_json_check_stays_text (
  id int, a longtext, b longtext check (length(b) > 1), c longtext character set utf8mb4 check (json_valid(c)));
insert into longtext_without_a_json_check_stays_text values (1, '[1]', '[2]', '[3]');
