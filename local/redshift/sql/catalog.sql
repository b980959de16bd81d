-- Redshift's catalog: system views, and PostgreSQL's own corrected where tools compare names of types.
-- information_schema's views are renamed once, and views with Redshift's answers take their names.
create or replace function redshift_internal.octets(rel oid, num smallint, kind oid, typmod integer) returns integer
language sql stable as $$
    select case
        when kind in ('varchar'::regtype, 'bpchar'::regtype) and typmod > 4 then typmod - 4
        when kind in ('varchar'::regtype, 'text'::regtype) then 65535
        when kind = 'pg_catalog.varbyte'::regtype or kind = 'bytea'::regtype then coalesce(
            (select split_part(k.conname, '_', 3)::integer from pg_catalog.pg_constraint k
             where k.conrelid = rel and k.conkey = array[num] and k.conname like 'redshift#_bytes#_%' escape '#' limit 1), 64000)
    end $$;

create or replace function redshift_internal.type_name(kind oid) returns text
language sql stable as $$
    select case
        when kind in ('varchar'::regtype, 'text'::regtype) then 'character varying'
        when kind in ('pg_catalog.varbyte'::regtype, 'bytea'::regtype) then 'binary varying'
        when kind = 'pg_catalog.super'::regtype then 'super'
        when kind = 'bpchar'::regtype then 'character'
        else pg_catalog.format_type(kind, null) end $$;

-- DECIMAL without precision and scale (results of arithmetic): Redshift would know them, here they are (38,10).
create or replace function redshift_internal.format_type(kind oid, typmod integer) returns text
language sql stable as $$
    select case
        when kind = 'varchar'::regtype and typmod > 4 then format('character varying(%s)', typmod - 4)
        when kind in ('varchar'::regtype, 'text'::regtype) then 'character varying(65535)'
        when kind in ('pg_catalog.varbyte'::regtype, 'bytea'::regtype) then 'binary varying'
        when kind = 'pg_catalog.super'::regtype then 'super'
        when kind = 'numeric'::regtype and coalesce(typmod, -1) < 4 then 'numeric(38,10)'
        else pg_catalog.format_type(kind, typmod) end $$;

create or replace view redshift_internal.columns_of as
    select a.attrelid, n.nspname as schema_name, c.relname as table_name, c.relkind, a.attname as column_name,
           a.attnum::integer as position,
           redshift_internal.type_name(a.atttypid) as data_type,
           redshift_internal.format_type(a.atttypid, a.atttypmod) as full_type,
           redshift_internal.octets(a.attrelid, a.attnum, a.atttypid, a.atttypmod) as octets,
           case when a.atttypid = 'numeric'::regtype then case when a.atttypmod >= 4 then ((a.atttypmod - 4) >> 16) & 65535 else 38 end
                when a.atttypid = 'int2'::regtype then 16 when a.atttypid = 'int4'::regtype then 32
                when a.atttypid = 'int8'::regtype then 64 when a.atttypid = 'float4'::regtype then 24
                when a.atttypid = 'float8'::regtype then 53 end as precision,
           case when a.atttypid = 'numeric'::regtype then case when a.atttypmod >= 4 then (a.atttypmod - 4) & 2047 else 10 end
                when a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) then 0 end as scale,
           a.attnotnull as not_null, a.attidentity <> '' as identity, a.attidentity as identity_kind,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid) as default_text,
           pg_catalog.col_description(a.attrelid, a.attnum) as remarks,
           v.view is not null as late, coalesce(l.distkey = a.attnum, false) as distkey,
           redshift_internal.sort_place(a.attnum, l.sort, l.interleaved) as sortkey, l.interleaved,
           case when c.relkind = 'r' then redshift_internal.encoding(a.attnum, a.atttypid, l.sort, l.encode) else 'none' end as encoding
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join redshift_internal.late_binding_view v on v.view = a.attrelid
    left join redshift_internal.layout l on l.relid = a.attrelid
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'v')
      and (not pg_catalog.pg_is_other_temp_schema(n.oid));

-- What COPY needs to know of its target.
create or replace function redshift_internal.copy_columns(target text)
returns table (name name, kind text, octets integer, "precision" integer, scale integer, not_null boolean, identity boolean)
language plpgsql stable as $$
begin
    return query select c.column_name, c.data_type, c.octets, c.precision, c.scale, c.not_null, c.identity_kind = 'a'
        from redshift_internal.columns_of c
        where c.attrelid = target::regclass and c.relkind = 'r' order by c.position;
end $$;

grant select on all tables in schema redshift_internal to public;

do $$
begin
    if to_regclass('information_schema.postgres_columns') is null then
        alter view information_schema.columns rename to postgres_columns;
        alter view information_schema.tables rename to postgres_tables;
    end if;
end $$;

create or replace view information_schema.columns as
    select current_database()::varchar as table_catalog, schema_name::varchar as table_schema,
           table_name::varchar as table_name, column_name::varchar as column_name, position as ordinal_position,
           default_text::varchar as column_default, case when not_null then 'NO' else 'YES' end::varchar as is_nullable,
           data_type::varchar as data_type,
           case when data_type <> 'binary varying' then octets end as character_maximum_length,
           case when data_type <> 'binary varying' then octets end as character_octet_length,
           precision as numeric_precision,
           case when precision is not null then case when data_type = 'numeric' then 10 else 2 end end as numeric_precision_radix,
           scale as numeric_scale,
           case when data_type like 'time%' then 6 when data_type = 'date' then 0 end as datetime_precision,
           null::varchar as interval_type, null::varchar as interval_precision, null::varchar as character_set_catalog,
           null::varchar as character_set_schema, null::varchar as character_set_name,
           null::varchar as collation_catalog, null::varchar as collation_schema, null::varchar as collation_name,
           null::varchar as domain_catalog, null::varchar as domain_schema, null::varchar as domain_name,
           current_database()::varchar as udt_catalog, 'pg_catalog'::varchar as udt_schema, data_type::varchar as udt_name,
           null::varchar as scope_catalog, null::varchar as scope_schema, null::varchar as scope_name,
           null::integer as maximum_cardinality, position::varchar as dtd_identifier, 'NO'::varchar as is_self_referencing
    from redshift_internal.columns_of where not late;

create or replace view information_schema.tables as
    select current_database()::varchar as table_catalog, n.nspname::varchar as table_schema, c.relname::varchar as table_name,
           case when c.relpersistence = 't' then 'LOCAL TEMPORARY' when c.relkind = 'v' then 'VIEW' else 'BASE TABLE' end::varchar as table_type,
           null::varchar as self_referencing_column_name, null::varchar as reference_generation,
           null::varchar as user_defined_type_catalog, null::varchar as user_defined_type_schema, null::varchar as user_defined_name
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'v') and not pg_catalog.pg_is_other_temp_schema(n.oid);
grant select on information_schema.columns, information_schema.tables to public;

-- The definition of a materialized view is its CREATE statement: that is how tools tell it from another view.
do $$
begin
    if to_regclass('information_schema.postgres_views') is null then
        alter view information_schema.views rename to postgres_views;
    end if;
end $$;
create or replace view information_schema.views as
    select v.table_catalog::varchar, v.table_schema::varchar, v.table_name::varchar,
           coalesce(m.settings ->> 'definition', v.view_definition)::varchar as view_definition,
           v.check_option::varchar, v.is_updatable::varchar, v.is_insertable_into::varchar
    from information_schema.postgres_views v left join redshift_internal.materialized m
        on m.schema_name = v.table_schema and m.view_name = v.table_name;
grant select on information_schema.views to public;
create or replace view pg_catalog.pg_views as
    select n.nspname as schemaname, c.relname as viewname, pg_catalog.pg_get_userbyid(c.relowner) as viewowner,
           coalesce(m.settings ->> 'definition', pg_catalog.pg_get_viewdef(c.oid)) as definition
    from pg_catalog.pg_class c left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join redshift_internal.materialized m on m.view = c.oid
    where c.relkind = 'v';

-- Redshift's pg_user has one column that PostgreSQL's has not; a view grows at its end only.
create or replace view pg_catalog.pg_user as
    select usename, usesysid, usecreatedb, usesuper, userepl, usebypassrls, '********'::text as passwd, valuntil, useconfig,
           usesuper as usecatupd from pg_catalog.pg_shadow;

-- True, or an error: SHOW (show.py) and the names of schemas know this session's database only.
create or replace function redshift_internal.this_database(name text, otherwise text) returns boolean
language plpgsql stable as $$
begin
    if name <> current_database() then
        raise exception '%', otherwise using errcode = 'feature_not_supported';
    end if;
    return true;
end $$;

-- A database's own setting, else the server's (--isolation).
create or replace function redshift_internal.isolation_level(database oid) returns text language sql stable as $$
    select case coalesce(
        (select split_part(c, '=', 2) from pg_catalog.pg_db_role_setting s cross join unnest(s.setconfig) c
         where s.setdatabase = database and s.setrole = 0 and c like 'default#_transaction#_isolation=%' escape '#'),
        pg_catalog.current_setting('redshift.isolation'))
        when 'serializable' then 'Serializable' else 'Snapshot Isolation' end $$;

-- Filled when somebody asks for it, anew after each start of the server (history.py).
drop table if exists redshift_internal.query_history cascade;
create unlogged table if not exists redshift_internal.query_history (
    query bigint, usename text, database text, pid integer, kind text, querytxt text,
    starttime timestamptz, endtime timestamptz, error text, xid bigint default 0);
grant select on redshift_internal.query_history to public;

-- System views. Dropped and made anew, so that they may change between versions of this file.
drop view if exists pg_catalog.svv_columns, pg_catalog.svv_redshift_columns, pg_catalog.svv_all_columns,
    pg_catalog.svv_tables, pg_catalog.svv_redshift_tables, pg_catalog.svv_all_tables, pg_catalog.svv_redshift_schemas,
    pg_catalog.svv_all_schemas, pg_catalog.svv_redshift_databases, pg_catalog.svv_table_info, pg_catalog.svv_relation_privileges,
    pg_catalog.svv_external_columns, pg_catalog.svv_external_tables, pg_catalog.svv_external_schemas, pg_catalog.stv_mv_info,
    pg_catalog.stl_query, pg_catalog.stl_querytext, pg_catalog.sys_query_history, pg_catalog.sys_query_text,
    pg_catalog.stv_recents, pg_catalog.stv_inflight, pg_catalog.svv_user_info, pg_catalog.svv_roles,
    pg_catalog.stv_db_isolation_level, pg_catalog.svv_mv_info, pg_catalog.sys_query_detail, pg_catalog.pg_table_def, pg_catalog.stv_sessions, pg_catalog.stv_locks, pg_catalog.pg_proc_info;

create view pg_catalog.svv_columns as
    select i.*, o.remarks::varchar from information_schema.columns i join redshift_internal.columns_of o
        on o.schema_name = i.table_schema and o.table_name = i.table_name and o.position = i.ordinal_position;
create view pg_catalog.pg_proc_info as
    select oid as prooid, proname, pronamespace, proowner, prolang, prosecdef, proisstrict, proretset, provolatile, pronargs,
           prorettype, proargtypes, proargnames, prosrc, probin, proacl, prokind, proargmodes, proallargtypes
    from pg_catalog.pg_proc where pronamespace <> 'redshift_internal'::regnamespace;
grant select on pg_catalog.pg_proc_info to public;
create view pg_catalog.svv_tables as
    select table_catalog, table_schema, table_name, table_type, null::varchar as remarks from information_schema.tables;
create view pg_catalog.svv_redshift_columns as
    select current_database()::varchar as database_name, schema_name::varchar, table_name::varchar, column_name::varchar,
           position as ordinal_position, full_type::varchar as data_type, default_text::varchar as column_default,
           case when not_null then 'NO' else 'YES' end::varchar as is_nullable, encoding::varchar,
           distkey, sortkey, null::varchar as column_acl, remarks::varchar
    from redshift_internal.columns_of where schema_name not in ('pg_catalog', 'information_schema', 'redshift_internal');
create view pg_catalog.svv_all_columns as
    select database_name, schema_name, table_name, column_name, ordinal_position, column_default, is_nullable,
           data_type, null::integer as character_maximum_length, null::integer as numeric_precision,
           null::integer as numeric_scale, remarks from pg_catalog.svv_redshift_columns;
create view pg_catalog.svv_redshift_tables as
    select current_database()::varchar as database_name, n.nspname::varchar as schema_name, c.relname::varchar as table_name,
           case c.relkind when 'v' then 'VIEW' else 'TABLE' end::varchar as table_type, null::varchar as table_acl,
           pg_catalog.obj_description(c.oid, 'pg_class')::varchar as remarks, pg_catalog.pg_get_userbyid(c.relowner)::varchar as table_owner
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'v') and c.relpersistence = 'p' and n.nspname not in ('pg_catalog', 'information_schema', 'redshift_internal');
create view pg_catalog.svv_all_tables as
    select database_name, schema_name, table_name, table_acl, table_type, remarks from pg_catalog.svv_redshift_tables;
create view pg_catalog.svv_redshift_schemas as
    select current_database()::varchar as database_name, nspname::varchar as schema_name, nspowner::integer as schema_owner,
           'local'::varchar as schema_type, null::varchar as schema_acl, null::varchar as schema_option
    from pg_catalog.pg_namespace where nspname not in ('redshift_internal', 'pg_toast') and nspname not like 'pg#_%temp%' escape '#';
create view pg_catalog.svv_all_schemas as
    select database_name, schema_name, schema_owner, schema_type, schema_acl, null::varchar as source_database, schema_option
    from pg_catalog.svv_redshift_schemas;
create view pg_catalog.svv_redshift_databases as
    select datname::varchar as database_name, datdba::integer as database_owner, 'local'::varchar as database_type,
           null::varchar as database_acl, null::varchar as database_options,
           redshift_internal.isolation_level(oid)::varchar as database_isolation_level
    from pg_catalog.pg_database where not datistemplate and datname <> 'postgres';
create view pg_catalog.stv_db_isolation_level as
    select datname::char(128) as db_name, redshift_internal.isolation_level(oid)::char(20) as isolation_level
    from pg_catalog.pg_database where not datistemplate and datname <> 'postgres';
create view pg_catalog.svv_table_info as
    select current_database()::text as "database", n.nspname::text as "schema", c.oid as table_id, coalesce(m.view_name, c.relname)::text as "table",
           case when l.encode is null and m.storage is null then 'Y, AUTO(ENCODE)'
                when exists (select from pg_catalog.pg_attribute e where e.attrelid = c.oid and e.attnum > 0 and not e.attisdropped
                             and redshift_internal.encoding(e.attnum, e.atttypid, l.sort, l.encode) <> 'none') then 'Y' else 'N' end as encoded,
           case coalesce(l.style, 'AUTO') when 'AUTO' then 'AUTO(ALL)' when 'KEY' then 'KEY(' || d.attname || ')' else l.style end as diststyle,
           case when l.interleaved then 'INTERLEAVED' when l.sort is null then 'AUTO(SORTKEY)' else s.attname::text end as sortkey1,
           coalesce((select max(o.octets) from redshift_internal.columns_of o where o.attrelid = c.oid and o.data_type = 'character varying'), 0) as max_varchar,
           case when s.attnum is not null then redshift_internal.encoding(s.attnum, s.atttypid, l.sort, l.encode) end as sortkey1_enc, coalesce(cardinality(l.sort), 0) as sortkey_num,
           greatest(1, pg_catalog.pg_total_relation_size(c.oid) / 1048576)::bigint as size, 0.01::numeric(10,4) as pct_used,
           0::bigint as empty, null::numeric(5,2) as unsorted, 0::numeric(5,2) as stats_off,
           greatest(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::numeric(38,0) as tbl_rows,
           null::numeric(19,2) as skew_sortkey1, null::numeric(19,2) as skew_rows,
           greatest(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::numeric(38,0) as estimated_visible_rows,
           null::text as risk_event, null::numeric(12,2) as vacuum_sort_benefit
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join redshift_internal.materialized m on m.storage = c.oid
    left join redshift_internal.layout l on l.relid = c.oid
    left join pg_catalog.pg_attribute d on d.attrelid = c.oid and d.attnum = l.distkey
    left join pg_catalog.pg_attribute s on s.attrelid = c.oid and s.attnum = l.sort[1]
    where c.relkind in ('r', 'm') and c.relpersistence = 'p' and n.nspname not in ('pg_catalog', 'information_schema', 'redshift_internal');
create view pg_catalog.svv_relation_privileges as
    select n.nspname::text as namespace_name, c.relname::text as relation_name, a.privilege_type::text,
           a.grantee::integer as identity_id,
           case when a.grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(a.grantee)::text end as identity_name,
           case when a.grantee = 0 then 'public' when r.rolcanlogin then 'user' else 'group' end as identity_type,
           a.is_grantable as admin_option
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral pg_catalog.aclexplode(c.relacl) a left join pg_catalog.pg_roles r on r.oid = a.grantee
    where c.relkind in ('r', 'v');
create view pg_catalog.pg_table_def as
    select schema_name as schemaname, table_name as tablename, column_name as "column", full_type as type, encoding::char(32),
           distkey, sortkey, not_null as "notnull"
    from redshift_internal.columns_of where relkind = 'r' and schema_name = any (pg_catalog.current_schemas(true));
create view pg_catalog.stv_sessions as
    select backend_start as starttime, pid as process, usename as user_name, datname as db_name
    from pg_catalog.pg_stat_activity where backend_type = 'client backend';
create view pg_catalog.stv_locks as
    select l.relation as table_id, a.query_start as last_update, l.pid as lock_owner_pid, l.mode as lock_status
    from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid where l.locktype = 'relation';


-- Everybody sees their own, a superuser all. Redshift counts queries and statements apart; here they have one number.
create view pg_catalog.stl_query as
    select u.usesysid::integer as userid, h.query::integer as query, 'default'::char(320) as label, h.xid, h.pid as pid,
           h.database::char(32) as database, left(h.querytxt, 4000)::char(4000) as querytxt,
           h.starttime at time zone 'utc' as starttime, h.endtime at time zone 'utc' as endtime,
           (h.error <> '')::integer as aborted, 0 as insert_pristine, 0 as concurrency_scaling_status
    from redshift_internal.query_history h left join pg_catalog.pg_user u on u.usename = h.usename
    where h.usename = session_user or (select rolsuper from pg_catalog.pg_roles where rolname = session_user);
create view pg_catalog.stl_querytext as
    select q.userid, q.xid, q.pid, q.query, s.n as sequence, substr(h.querytxt, s.n * 200 + 1, 200)::char(200) as text
    from pg_catalog.stl_query q join redshift_internal.query_history h on h.query = q.query
    cross join lateral pg_catalog.generate_series(0, (greatest(length(h.querytxt), 1) - 1) / 200) as s(n);
create view pg_catalog.sys_query_history as
    select q.userid as user_id, q.query::bigint as query_id, 'default'::char(320) as query_label, q.xid as transaction_id,
           q.pid as session_id, h.database::char(128) as database_name, h.kind::char(32) as query_type,
           case when h.error = '' then 'success' else 'failed' end::char(10) as status, false as result_cache_hit,
           q.starttime as start_time, q.endtime as end_time,
           (extract(epoch from h.endtime - h.starttime) * 1000000)::bigint as elapsed_time, 0::bigint as queue_time,
           (extract(epoch from h.endtime - h.starttime) * 1000000)::bigint as execution_time, h.error::char(512) as error_message,
           left(h.querytxt, 4000)::char(4000) as query_text
    from pg_catalog.stl_query q join redshift_internal.query_history h on h.query = q.query;
create view pg_catalog.sys_query_text as
    select q.userid as user_id, q.query::bigint as query_id, q.xid as transaction_id, q.pid as session_id, q.starttime as start_time,
           t.sequence, t.text from pg_catalog.stl_query q join pg_catalog.stl_querytext t on t.query = q.query;
create view pg_catalog.stv_recents as
    select usesysid::integer as userid, case state when 'active' then 'Running' else 'Done' end::char(20) as status,
           query_start at time zone 'utc' as starttime, (extract(epoch from now() - query_start) * 1000000)::integer as duration,
           usename::char(50) as user_name, datname::char(50) as db_name, pid
    from pg_catalog.pg_stat_activity where backend_type = 'client backend' and query_start is not null;
create view pg_catalog.stv_inflight as
    select usesysid::integer as userid, pid, query_start at time zone 'utc' as starttime, 0 as suspended, 'default'::char(320) as label
    from pg_catalog.pg_stat_activity where backend_type = 'client backend' and state = 'active';
create view pg_catalog.svv_user_info as
    select rolname::text as user_name, oid::integer as user_id, rolcreatedb as createdb, rolsuper as superuser, rolsuper as catalog_update,
           case when rolconnlimit < 0 then 'UNLIMITED' else rolconnlimit::text end as connection_limit,
           'RESTRICTED'::text as syslog_access, null::timestamp as last_ddl_timestamp, 0 as session_timeout, null::text as external_user_id
    from pg_catalog.pg_roles where rolcanlogin;
create view pg_catalog.svv_roles as
    select oid::integer as role_id, rolname::text as role_name, null::text as role_owner, null::text as external_id
    from pg_catalog.pg_roles where not rolcanlogin and rolname !~ '^pg_';

-- Things there are none of here: external tables.
create view pg_catalog.svv_external_columns as
    select null::varchar as redshift_database_name, null::varchar as schemaname, null::varchar as tablename, null::varchar as columnname,
           null::varchar as external_type, null::integer as columnnum, null::integer as part_key, null::varchar as is_nullable where false;
create view pg_catalog.svv_external_tables as
    select null::varchar as redshift_database_name, null::varchar as schemaname, null::varchar as tablename, null::varchar as tabletype, null::varchar as location where false;
create view pg_catalog.svv_external_schemas as
    select null::integer as esoid, null::smallint as eskind, null::varchar as schemaname, null::integer as esowner,
           null::varchar as databasename, null::varchar as esoptions where false;
-- Whether one is stale costs a look at its tables: not for a query that does not ask for it.
create view pg_catalog.stv_mv_info as
    select current_database()::char(128) as db_name, m.schema_name::char(128) as "schema", m.view_name::char(128) as name,
           null::bigint as updated_upto_xid,
           case when (m.settings ->> 'mutable')::boolean
                  or redshift_internal.fingerprint(m.storage) is distinct from m.settings ->> 'fingerprint'
                then 't' else 'f' end::char(1) as is_stale,
           m.owner::char(128) as owner_user_name, (m.settings ->> 'state')::integer as state, 'f'::char(1) as autorewrite,
           case when (m.settings ->> 'auto')::boolean then 't' else 'f' end::char(1) as autorefresh
    from redshift_internal.materialized m;
create view pg_catalog.svv_mv_info as
    select db_name as database_name, "schema" as schema_name, owner_user_name as user_name, name, is_stale, state,
           autorewrite, autorefresh
    from pg_catalog.stv_mv_info;
create view pg_catalog.sys_query_detail as
    select null::integer as user_id, null::bigint as query_id, null::timestamp as start_time, null::timestamp as end_time,
           null::oid as table_id, null::text as step_name where false;

do $$
declare
    made text;
begin
    for made in select format('%I.%I', schemaname, viewname) from pg_catalog.pg_views
                where schemaname = 'pg_catalog' and (viewname ~ '^(svv|stv|sys|stl)_' or viewname = 'pg_table_def')
    loop
        execute 'grant select on ' || made || ' to public';
    end loop;
end $$;

create or replace function pg_catalog.pg_get_late_binding_view_cols() returns setof record language sql stable as $$
    select schema_name, table_name, column_name, full_type::varchar, position
    from redshift_internal.columns_of where late order by 1, 2, 5 $$;
create or replace function pg_catalog.pg_get_cols(text) returns setof record language sql stable as $$
    select schema_name, table_name, column_name, full_type::varchar, position
    from redshift_internal.columns_of where attrelid = to_regclass($1) order by 5 $$;
