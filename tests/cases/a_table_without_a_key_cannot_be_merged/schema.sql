create table a_table_without_a_key_cannot_be_merged (id int, updated_at timestamp);
