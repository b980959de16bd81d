-- The first two print alike with FLOAT's six digits. 1e-40 is smaller than the smallest normal FLOAT.
create table floats_keep_all_their_bits (id int, v float);
insert into floats_keep_all_their_bits values (1, 0.1234567), (2, 0.1234568), (3, 16777217), (4, 3.4028234663852886e38),
  (5, -1.1754943508222875e-38), (6, 1e-40);
