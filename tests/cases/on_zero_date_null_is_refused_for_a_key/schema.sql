create table on_zero_date_null_is_refused_for_a_key (d date primary key);
