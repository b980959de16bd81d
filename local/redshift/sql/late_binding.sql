-- Views WITH NO SCHEMA BINDING. Such a view is a PostgreSQL view over a function that runs the view's text: so it
-- depends on no table, and every use binds anew. Only its list of columns is fixed; an event trigger renews that when
-- a table or view named in the text is made or altered, in the same transaction.
create or replace function redshift_internal.late(definition text) returns setof record
language plpgsql stable as $$
begin
    return query execute definition;
end $$;

-- The text of a late-binding view is kept as the comment of its rule. Why not in a table of ours: whoever makes a view
-- would write what everybody who asks for columns reads, and SERIALIZABLE would abort transactions that have nothing to
-- do with each other. Why not read it out of pg_get_viewdef(): that waits for whoever is just replacing the view.
create or replace view redshift_internal.late_binding_view as
    select distinct r.ev_class as view, pg_catalog.obj_description(r.oid, 'pg_rewrite') as definition
    from pg_catalog.pg_depend d join pg_catalog.pg_rewrite r on r.oid = d.objid
    where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.refclassid = 'pg_catalog.pg_proc'::regclass
    and d.refobjid = 'redshift_internal.late(text)'::regprocedure
    and pg_catalog.obj_description(r.oid, 'pg_rewrite') is not null;  -- this very view names the function too
grant select on redshift_internal.late_binding_view to public;

-- `(a integer, b character varying(20))` for a query, or null while it cannot be bound.
create or replace function redshift_internal.late_columns(definition text) returns text
language plpgsql as $$
declare
    found text;
begin
    execute 'create temporary view redshift_late_probe as ' || definition;
    select '(' || string_agg(format('%I %s', attname, pg_catalog.format_type(atttypid, atttypmod)), ', ' order by attnum) || ')'
    into found
    from pg_catalog.pg_attribute where attrelid = 'pg_temp.redshift_late_probe'::regclass and attnum > 0;
    drop view pg_temp.redshift_late_probe;
    return found;
exception
    when undefined_table or undefined_column or invalid_schema_name or undefined_function or datatype_mismatch then
        return null;
end $$;

create or replace function redshift_internal.late_view_text(definition text, columns text) returns text
language sql immutable
    as $$ select format('select * from redshift_internal.late(%L) as bound%s', $1, coalesce($2, '(not_bound text)')) $$;

create or replace procedure redshift_internal.create_late_view(name text, definition text, replace boolean)
language plpgsql as $$
declare
    columns text := redshift_internal.late_columns(definition);
    existing oid := to_regclass(name);
begin
    if replace and existing is not null then
        execute 'drop view ' || name;
    end if;
    execute format('create view %s as %s', name, redshift_internal.late_view_text(definition, columns));
    execute format('comment on rule "_RETURN" on %s is %L', name, definition);
end $$;

create or replace function redshift_internal.renew_late_views() returns event_trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare
    changed record;
    late record;
    columns text;
    wanted text;
    grants text[];
    comment text;
    statement text;
begin
    for changed in
        select distinct n.nspname || '.' || c.relname as name
        from pg_event_trigger_ddl_commands() e join pg_class c on c.oid = e.objid
        join pg_namespace n on n.oid = c.relnamespace
        where e.classid = 'pg_class'::regclass and c.relkind in ('r', 'v', 'm') and c.relpersistence = 'p'
    loop
        for late in
            select v.view, v.definition, c.oid::regclass::text as name, pg_get_userbyid(c.relowner) as owner,
                   pg_get_viewdef(c.oid) as current
            from redshift_internal.late_binding_view v join pg_class c on c.oid = v.view
            where strpos(replace(lower(v.definition), '"', ''), lower(changed.name)) > 0
        loop
            columns := redshift_internal.late_columns(late.definition);
            wanted := redshift_internal.late_view_text(late.definition, columns);
            execute 'create temporary view redshift_late_wanted as ' || wanted;
            continue when redshift_internal.drop_wanted() = late.current;
            begin
                execute format('create or replace view %s as %s', late.name, wanted);
            exception when invalid_table_definition then
                select array_agg(format('grant %s on %s to %s', a.privilege_type, late.name,
                                        case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end))
                into grants from pg_class c, aclexplode(c.relacl) a where c.oid = late.view;
                comment := obj_description(late.view, 'pg_class');
                begin
                    execute 'drop view ' || late.name;
                    execute format('create view %s as %s', late.name, wanted);
                    execute format('comment on rule "_RETURN" on %s is %L', late.name, late.definition);
                    execute format('alter view %s owner to %I', late.name, late.owner);
                    foreach statement in array coalesce(grants, '{}') loop execute statement; end loop;
                    if comment is not null then
                        execute format('comment on view %s is %L', late.name, comment);
                    end if;
                exception when dependent_objects_still_exist then
                    null;  -- a view stands on it: its columns stay as they were, and using them fails by name
                end;
            end;
        end loop;
    end loop;
end $$;

create or replace function redshift_internal.drop_wanted() returns text language plpgsql as $$
declare
    found text := pg_get_viewdef('pg_temp.redshift_late_wanted'::regclass);
begin
    drop view pg_temp.redshift_late_wanted;
    return found;
end $$;

drop event trigger if exists redshift_renew_late_views;
create event trigger redshift_renew_late_views on ddl_command_end
    when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE VIEW', 'ALTER VIEW', 'CREATE MATERIALIZED VIEW')
    execute function redshift_internal.renew_late_views();
