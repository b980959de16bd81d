create table set_labels_in_the_order_of_the_type (id int, v set('z', 'é', 'a b', '''') );
insert into set_labels_in_the_order_of_the_type values (1, 'a b,z'), (2, ''), (3, 15), (4, null);
