create table an_unknown_column_in_an_option_is_named (id int, ssn varchar(11));
