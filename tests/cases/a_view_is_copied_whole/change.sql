insert into a_view_is_copied_whole_base values (3, 3.5, null);
