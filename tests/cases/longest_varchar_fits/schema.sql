create table longest_varchar_fits (v varchar(16383));
insert into longest_varchar_fits values (repeat('🚑', 16383)), (concat(repeat('x', 16382), '€'));
