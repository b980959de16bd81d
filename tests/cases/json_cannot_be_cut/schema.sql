create table json_cannot_be_cut (id int, j json, p point);
