update composite_key_of_every_kind set v = v + 100 where v in (2, 3, 6);
