create table text_at_the_limit_fits (v mediumtext, b mediumblob);
insert into text_at_the_limit_fits values (repeat('x', 65535), repeat('y', 64000));
