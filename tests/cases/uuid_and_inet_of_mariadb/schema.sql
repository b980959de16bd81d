create table uuid_and_inet_of_mariadb (id int, u uuid, a inet4, b inet6);
insert into uuid_and_inet_of_mariadb values
  (1, 'F47AC10B-58CC-4372-A567-0E02B2C3D479', '192.168.0.255', '2001:0db8:0000::ff00:0042:8329'),
  (2, '00000000-0000-0000-0000-000000000000', '0.0.0.0', '::ffff:192.0.2.1'), (3, null, null, null);
