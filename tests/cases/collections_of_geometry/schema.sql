create table collections_of_geometry (id int, a multipoint, b multilinestring, c multipolygon, d geometrycollection);
insert into collections_of_geometry values (1, st_geomfromtext('MULTIPOINT(1 2,3 4)'),
  st_geomfromtext('MULTILINESTRING((1 2,3 4),(5 6,7 8))'), st_geomfromtext('MULTIPOLYGON(((0 0,1 0,1 1,0 0)))'),
  st_geomfromtext('GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))', 3857)),
  (2, null, null, null, st_geomfromtext('GEOMETRYCOLLECTION EMPTY'));
