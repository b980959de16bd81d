-- Materialized views (materialized.py). As on Redshift, one called m is a view over a table of its own, mv_tbl__m__0,
-- which is a materialized view of PostgreSQL's. What is known of it is the comment of the view's rule, for the reasons in
-- late_binding.sql: its text, layout, AUTO REFRESH, state, and the fingerprint of what it was made from.
create or replace view redshift_internal.materialized as
    select distinct v.oid as view, n.nspname as schema_name, v.relname as view_name, s.oid as storage,
           pg_catalog.pg_get_userbyid(v.relowner) as owner, pg_catalog.to_jsonb(pg_catalog.obj_description(r.oid, 'pg_rewrite')::json) as settings
    from pg_catalog.pg_class s join pg_catalog.pg_depend d on d.refobjid = s.oid and d.refclassid = 'pg_catalog.pg_class'::regclass
    join pg_catalog.pg_rewrite r on r.oid = d.objid and d.classid = 'pg_catalog.pg_rewrite'::regclass
    join pg_catalog.pg_class v on v.oid = r.ev_class and v.relnamespace = s.relnamespace
    join pg_catalog.pg_namespace n on n.oid = v.relnamespace
    where s.relkind = 'm' and v.relkind = 'v' and s.relname = 'mv_tbl__' || v.relname || '__0'
      and pg_catalog.obj_description(r.oid, 'pg_rewrite') is not null;
grant select on redshift_internal.materialized to public;

-- Tables and materialized views that one stands on, views in between looked through.
create or replace function redshift_internal.stands_on(storage oid) returns setof oid language sql stable as $$
    with recursive used(oid) as (
        select storage
        union
        select d.refobjid from used u join pg_catalog.pg_class c on c.oid = u.oid and (c.relkind = 'v' or c.oid = storage)
        join pg_catalog.pg_rewrite r on r.ev_class = u.oid
        join pg_catalog.pg_depend d on d.objid = r.oid and d.classid = 'pg_catalog.pg_rewrite'::regclass
            and d.refclassid = 'pg_catalog.pg_class'::regclass)
    select c.oid from used join pg_catalog.pg_class c using (oid) where c.relkind in ('r', 'm') and c.oid <> storage $$;

-- Changes whenever a row of those tables does, within the reader's own transaction. Why not counters: PostgreSQL's come
-- late and count what was rolled back, and a table of ours would make writers of different tables wait for each other.
create or replace function redshift_internal.fingerprint(storage oid) returns text
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
    base oid;
    rows text;
    found text := '';
begin
    for base in select * from redshift_internal.stands_on(storage) order by 1 loop
        execute format('select count(*) || ''/'' || coalesce(sum(hashtext(ctid::text || xmin::text)::bigint), 0) from %s',
                       base::regclass) into rows;
        found := found || base || ':' || rows || ' ';
    end loop;
    return found;
end $$;

-- The materialized view of this name, or an error.
create or replace function redshift_internal.materialized_named(name text) returns redshift_internal.materialized
language plpgsql stable as $$
declare
    found redshift_internal.materialized;
begin
    select * into found from redshift_internal.materialized m where m.view = name::regclass;
    if found.view is null then
        raise exception '% is not a materialized view', name using errcode = 'wrong_object_type';
    end if;
    return found;
end $$;

create or replace procedure redshift_internal.keep_settings(which redshift_internal.materialized, more jsonb)
language plpgsql as $$
begin
    execute format('comment on rule "_RETURN" on %s is %L', which.view::regclass, which.settings || more);
end $$;

create or replace procedure redshift_internal.create_materialized_view(name text, query text, settings text)
language plpgsql as $$
declare
    parts text[] := parse_ident(name);
    last text := parts[cardinality(parts)];
    storage text := format('mv_tbl__%s__0', last);
    path text;
begin
    if octet_length(storage) > 63 then
        raise exception 'not imitated by the local Redshift: a materialized view''s name of more than 52 bytes'
            using errcode = 'feature_not_supported';
    end if;
    select string_agg(quote_ident(part), '.' order by place) into path
    from unnest(parts[:cardinality(parts) - 1] || storage) with ordinality as p(part, place);
    execute format('create materialized view %s as %s', path, query);
    if exists (select 1 from redshift_internal.late_binding_view v join pg_catalog.pg_depend d on d.refobjid = v.view
               join pg_catalog.pg_rewrite r on r.oid = d.objid where r.ev_class = path::regclass) then
        raise exception 'a materialized view cannot stand on a late-binding view' using errcode = 'feature_not_supported';
    end if;
    execute format('create view %s as select * from %s', name, path);
    execute format('comment on rule "_RETURN" on %s is %L', name,
                   to_jsonb(settings::json) || jsonb_build_object('fingerprint', redshift_internal.fingerprint(path::regclass)));
end $$;

-- With `cascading` first those that it stands on, as in AWS's example of nested views.
create or replace procedure redshift_internal.refresh_materialized(which redshift_internal.materialized, cascading boolean)
language plpgsql as $$
declare
    below redshift_internal.materialized;
begin
    if cascading then
        for below in select * from redshift_internal.materialized
                     where storage in (select redshift_internal.stands_on(which.storage)) loop
            call redshift_internal.refresh_materialized(below, true);
        end loop;
    end if;
    execute format('refresh materialized view %s', which.storage::regclass);
    call redshift_internal.keep_settings(which, jsonb_build_object('fingerprint', redshift_internal.fingerprint(which.storage)));
end $$;

create or replace procedure redshift_internal.refresh_materialized_view(name text, cascading boolean)
language plpgsql as $$
begin
    call redshift_internal.refresh_materialized(redshift_internal.materialized_named(name), cascading);
end $$;

create or replace procedure redshift_internal.alter_materialized_view(name text, change text)
language plpgsql as $$
begin
    call redshift_internal.keep_settings(redshift_internal.materialized_named(name), to_jsonb(change::json));
end $$;

create or replace procedure redshift_internal.drop_materialized_view(name text, if_exists boolean, cascading boolean)
language plpgsql as $$
declare
    which redshift_internal.materialized;
begin
    if if_exists and to_regclass(name) is null then
        return;
    end if;
    which := redshift_internal.materialized_named(name);
    perform set_config('redshift.dropping', 'on', true);
    execute format('drop view %s %s', which.view::regclass, case when cascading then 'cascade' else '' end);
    execute format('drop materialized view %s', which.storage::regclass);
    perform set_config('redshift.dropping', '', true);
end $$;

-- DROP VIEW and CREATE OR REPLACE VIEW would take the view and leave its table behind.
create or replace function redshift_internal.guard_materialized() returns event_trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare
    touched record;
begin
    if coalesce(current_setting('redshift.dropping', true), '') = 'on' then
        return;
    end if;
    for touched in
        select schema_name, object_name as name from pg_catalog.pg_event_trigger_dropped_objects()
        where tg_event = 'sql_drop' and object_type = 'view'
    loop
        if to_regclass(format('%I.%I', touched.schema_name, 'mv_tbl__' || touched.name || '__0')) is not null then
            raise exception '"%" is not a view', touched.name
                using errcode = 'wrong_object_type', hint = 'Use DROP MATERIALIZED VIEW to remove a materialized view.';
        end if;
    end loop;
end $$;
drop event trigger if exists redshift_guard_drop;
create event trigger redshift_guard_drop on sql_drop execute function redshift_internal.guard_materialized();

create or replace function redshift_internal.guard_replaced() returns event_trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare
    replaced text;
begin
    select c.relname into replaced from pg_catalog.pg_event_trigger_ddl_commands() e
    join pg_catalog.pg_class c on c.oid = e.objid and c.relkind = 'v'
    join pg_catalog.pg_class s on s.relnamespace = c.relnamespace and s.relkind = 'm' and s.relname = 'mv_tbl__' || c.relname || '__0'
    where e.classid = 'pg_catalog.pg_class'::regclass and not exists (
        select 1 from pg_catalog.pg_depend d join pg_catalog.pg_rewrite r on r.oid = d.objid
        where r.ev_class = c.oid and d.refobjid = s.oid);
    if replaced is not null then
        raise exception '"%" is not a view', replaced using errcode = 'wrong_object_type';
    end if;
end $$;
drop event trigger if exists redshift_guard_replace;
create event trigger redshift_guard_replace on ddl_command_end when tag in ('CREATE VIEW')
    execute function redshift_internal.guard_replaced();
