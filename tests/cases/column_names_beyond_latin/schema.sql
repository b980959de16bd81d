-- A name without a letter of a to z is called by a hash of it; dbt's stg_ views give it a name again.
create table column_names_beyond_latin (`id` int, `straße` int, `名前` int, `Ärzte_x` int);
insert into column_names_beyond_latin values (1, 2, 3, 4);
