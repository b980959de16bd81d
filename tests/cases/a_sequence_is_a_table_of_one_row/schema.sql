create sequence a_sequence_is_a_table_of_one_row start with 5 increment by 2 maxvalue 99 nocache;
