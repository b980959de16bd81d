-- What COPY leaves behind: one row per load, per file and per bad row. Written by loads.py through a connection of its
-- own, so that it stays when the client's transaction is rolled back.
-- `query` is the number that the statement has in stl_query.
create table if not exists redshift_internal.load (
    query integer primary key, userid oid, xid bigint, session integer, database name, tbl oid, table_name text,
    data_source text, file_format text, started timestamp, ended timestamp, status text, loaded_rows bigint default 0,
    errors integer default 0, message text);
create table if not exists redshift_internal.load_file (
    query integer, filename text, lines bigint, bytes bigint, at timestamp);
create table if not exists redshift_internal.load_error (
    query integer, filename text, line_number bigint, colname text, type text, col_length text,
    raw_line text, raw_field_value text, err_code integer, err_reason text);

drop view if exists pg_catalog.stl_load_errors, pg_catalog.stl_loaderror_detail, pg_catalog.stl_load_commits,
    pg_catalog.sys_load_history, pg_catalog.sys_load_error_detail;

-- A superuser sees everything, others their own loads. A load whose session is gone was cut off.
create or replace view redshift_internal.loads_seen as
    select l.*, case when l.status = 'running' and not exists (
               select 1 from pg_catalog.pg_stat_activity a where a.pid = l.session and a.backend_start < l.started at time zone 'UTC')
               then 'aborted' else l.status end as state
    from redshift_internal.load l
    where l.userid = current_user::regrole::oid
       or (select usesuper from pg_catalog.pg_user where usename = current_user);

create view pg_catalog.stl_load_errors as
    select l.userid::integer as userid, 0 as slice, l.tbl::integer as tbl, l.started as starttime, l.session, l.query,
           e.filename::char(256) as filename, e.line_number, e.colname::char(127) as colname, e.type::char(10) as type,
           e.col_length::char(10) as col_length, 0 as "position", e.raw_line::char(1024) as raw_line,
           e.raw_field_value::char(1024) as raw_field_value, e.err_code, e.err_reason::char(100) as err_reason,
           0 as is_partial, 0::bigint as start_offset, 0::bigint as copy_job_id
    from redshift_internal.load_error e join redshift_internal.loads_seen l on l.query = e.query;
create view pg_catalog.stl_load_commits as
    select l.userid::integer as userid, l.query, 0 as slice, ''::char(256) as name, f.filename::char(256) as filename, 0 as byte_offset,
           f.lines::integer as lines_scanned, 0 as errors, f.at as curtime, 1 as status,
           l.file_format::char(16) as file_format, 0 as is_partial, 0::bigint as start_offset, 0::bigint as copy_job_id
    from redshift_internal.load_file f join redshift_internal.loads_seen l on l.query = f.query;
create view pg_catalog.sys_load_history as
    select l.userid::integer as user_id, l.query::bigint as query_id, l.xid as transaction_id, l.session as session_id,
           l.database::text as database_name, l.state as status, l.table_name, l.started as start_time, l.ended as end_time,
           (extract(epoch from coalesce(l.ended, l.started) - l.started) * 1000000)::bigint as duration,
           l.data_source, lower(l.file_format) as file_format, l.loaded_rows,
           (select coalesce(sum(f.bytes), 0)::bigint from redshift_internal.load_file f where f.query = l.query) as loaded_bytes,
           (select count(*)::integer from redshift_internal.load_file f where f.query = l.query) as source_file_count,
           (select coalesce(sum(f.bytes), 0)::bigint from redshift_internal.load_file f where f.query = l.query) as source_file_bytes,
           l.errors as error_count, 0::bigint as copy_job_id
    from redshift_internal.loads_seen l;
create view pg_catalog.sys_load_error_detail as
    select l.userid::integer as user_id, l.query::bigint as query_id, l.xid as transaction_id, l.session as session_id,
           l.database::char(64) as database_name, l.tbl::integer as table_id, l.started as start_time,
           e.filename::char(256) as file_name, e.line_number, e.colname::char(127) as column_name, e.type::char(10) as column_type,
           e.col_length::char(10) as column_length, 0 as "position", e.err_code as error_code, e.err_reason::char(512) as error_message
    from redshift_internal.load_error e join redshift_internal.loads_seen l on l.query = e.query;
revoke all on redshift_internal.load, redshift_internal.load_file, redshift_internal.load_error from public;
grant select on redshift_internal.loads_seen,
    pg_catalog.stl_load_errors, pg_catalog.stl_load_commits, pg_catalog.sys_load_history, pg_catalog.sys_load_error_detail to public;

-- A failed load cannot leave a setting behind, as its transaction is over: it is found in the table.
create or replace function pg_catalog.pg_last_copy_id() returns integer language sql stable security definer as $$
    select coalesce(greatest(
        (select max(query) from redshift_internal.load l
         where l.session = pg_catalog.pg_backend_pid() and l.status = 'failed' and l.started >= (
             select backend_start at time zone 'UTC' from pg_catalog.pg_stat_activity where pid = pg_catalog.pg_backend_pid())),
        nullif(current_setting('redshift.last_copy_id', true), '')::integer), -1) $$;
create or replace function pg_catalog.pg_last_query_id() returns integer language sql stable as $$
    select current_setting('redshift.last_query_id')::integer $$;
create or replace function pg_catalog.pg_last_copy_count() returns bigint language sql stable as $$
    select case when pg_catalog.pg_last_copy_id()::text = current_setting('redshift.last_copy_id', true)
                then current_setting('redshift.last_copy_count', true)::bigint else 0 end $$;
create or replace function pg_catalog.pg_last_unload_count() returns bigint language sql stable as $$
    select coalesce(nullif(current_setting('redshift.last_unload_count', true), ''), '0')::bigint $$;
