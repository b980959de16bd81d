create table geometry_is_ewkt (id int, p point, g geometry, s geometry /*M! ref_system_id = 4326 */ /*!80003 srid 4326 */);
insert into geometry_is_ewkt values
  (1, point(0.1e0 + 0.2e0, -1e-300), st_geomfromtext('LINESTRING(1 2,3 4)'), 
   -- MySQL takes latitude first where the SRID says so.
   st_geomfromtext(/*M! 'POINT(4.9 52.4)' */ /*!80003 'POINT(52.4 4.9)' */, 4326)),
  (2, null, st_geomfromtext('POLYGON((0 0,1 0,1 1,0 0))'), null);
