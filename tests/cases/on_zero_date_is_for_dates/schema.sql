create table on_zero_date_is_for_dates (id int, t time);
