create table decimals_of_38_places_are_exact (a decimal(38,38));
insert into decimals_of_38_places_are_exact values (0.99999999999999999999999999999999999999);
