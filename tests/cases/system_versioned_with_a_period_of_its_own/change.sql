update system_versioned_with_a_period_of_its_own set v = 11;
