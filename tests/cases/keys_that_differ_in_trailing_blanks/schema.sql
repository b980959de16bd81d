-- NO PAD: blanks at the end count in MySQL, not in Redshift's comparison.
create table keys_that_differ_in_trailing_blanks (
  k varchar(10) collate /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ primary key, v int, updated_at timestamp default current_timestamp on update current_timestamp);
insert into keys_that_differ_in_trailing_blanks (k, v) values ('a', 1), ('a ', 2), ('a  ', 3), ('', 4), (' ', 5), ('A', 6);
