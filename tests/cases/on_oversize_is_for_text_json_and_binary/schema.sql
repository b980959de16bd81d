create table on_oversize_is_for_text_json_and_binary (id int, i decimal(5,2), t time, e enum('a'), v varchar(3), b blob);
