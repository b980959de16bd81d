update keys_of_uuid_and_inet set v = 22 where v = 2;
