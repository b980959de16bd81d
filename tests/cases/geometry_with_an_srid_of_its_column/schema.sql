-- SRID 4326 has latitude first in MySQL, 3857 is x and y, 0 is a plane. EWKT has x, the longitude, first.
create table geometry_with_an_srid_of_its_column (
  id int, p point not null srid 4326, q polygon srid 4326, x point srid 3857, z geometry srid 0, spatial index (p));
insert into geometry_with_an_srid_of_its_column values
  (1, st_geomfromtext('POINT(52.4 4.9)', 4326), st_geomfromtext('POLYGON((0 1,2 3,4 -5,0 1))', 4326),
   st_geomfromtext('POINT(545465.5 6869000)', 3857), point(-1, 2.5)),
  (2, st_geomfromtext('POINT(4.9 52.4)', 4326, 'axis-order=long-lat'), null, null, null);
