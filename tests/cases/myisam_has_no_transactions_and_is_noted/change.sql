update myisam_has_no_transactions_and_is_noted set v = 21 where id = 2;
