-- PostgreSQL's catalog as Redshift shows it: with layout and keys (declarations.sql), and with what PostgreSQL dropped
-- since 8.0 and drivers still ask such a server for. expressions.py sends the names of these tables and functions here.
-- A primary or unique key is an index too, as drivers look for it there; its number is that of the constraint.
-- Built from the columns that this PostgreSQL has, for they change from version to version.
create or replace function redshift_internal.row_of(source regclass, others jsonb) returns text language sql stable as $$
    select string_agg(coalesce('(' || (others ->> attname) || ')', 't.' || quote_ident(attname)) || '::'
                      || pg_catalog.format_type(atttypid, atttypmod) || ' as ' || quote_ident(attname), ', ' order by attnum)
    from pg_catalog.pg_attribute where attrelid = source and attnum > 0 and not attisdropped $$;

do $$
begin
    execute 'create or replace view redshift_internal.pg_class as
        select t.*, false as relhasoids, case when t.relkind in (''r'', ''m'') then
                   case l.style when ''EVEN'' then 0 when ''KEY'' then 1 when ''ALL'' then 8 else 9 end else 0 end::smallint as reldiststyle
        from pg_catalog.pg_class t left join redshift_internal.layout l on l.relid = t.oid
        union all
        select ' || redshift_internal.row_of('pg_catalog.pg_class', '{"oid": "k.oid", "relname": "k.conname", "relkind": "''i''",
                    "reltype": "0", "relam": "0", "relfilenode": "0", "relpages": "0", "reltuples": "0", "reltoastrelid": "0", "relhasindex": "false",
                    "relnatts": "cardinality(k.conkey)", "relchecks": "0", "relacl": "null", "reloptions": "null"}') || ', false, 0::smallint
        from redshift_internal.declared_key k join pg_catalog.pg_class t on t.oid = k.conrelid where k.kind in (''p'', ''u'')';
    -- Without the columns of late-binding views, which Redshift does not keep there.
    execute 'create or replace view redshift_internal.pg_attribute as
        select t.*, coalesce(l.distkey = t.attnum, false) as attisdistkey,
               redshift_internal.sort_place(t.attnum, l.sort, l.interleaved) as attsortkeyord,
               redshift_internal.encoding_number(redshift_internal.encoding(t.attnum, t.atttypid, l.sort, l.encode)) as attencodingtype
        from pg_catalog.pg_attribute t left join redshift_internal.layout l on l.relid = t.attrelid
        where not exists (select 1 from redshift_internal.late_binding_view v where v.view = t.attrelid)
        union all
        select ' || redshift_internal.row_of('pg_catalog.pg_attribute', '{"attrelid": "k.oid", "attnum": "p.n", "attacl": "null"}') || ', false, 0, 0::smallint
        from redshift_internal.declared_key k cross join unnest(k.conkey) with ordinality as p(attnum, n)
        join pg_catalog.pg_attribute t on t.attrelid = k.conrelid and t.attnum = p.attnum where k.kind in (''p'', ''u'')';
    execute 'create or replace view redshift_internal.pg_index as
        select * from pg_catalog.pg_index union all
        select ' || redshift_internal.row_of('pg_catalog.pg_index', '{"indexrelid": "k.oid", "indrelid": "k.conrelid", "indnatts": "cardinality(k.conkey)",
                    "indnkeyatts": "cardinality(k.conkey)", "indisunique": "true", "indisprimary": "k.kind = ''p''", "indpred": "null",
                    "indkey": "array_to_string(k.conkey, '' '')", "indexprs": "null"}') || '
        from redshift_internal.declared_key k cross join (select * from pg_catalog.pg_index limit 1) t where k.kind in (''p'', ''u'')';
    -- The keys alone: CHECK constraints there are none on Redshift.
    execute 'create or replace view redshift_internal.pg_constraint as
        select ' || redshift_internal.row_of('pg_catalog.pg_constraint', '{"contype": "k.kind", "confrelid": "k.confrelid", "confkey": "k.confkey",
                    "convalidated": "true", "conbin": "null", "confupdtype": "case k.kind when ''f'' then ''a'' else '' '' end", "confdeltype": "case k.kind when ''f'' then ''a'' else '' '' end",
                    "confmatchtype": "case k.kind when ''f'' then ''u'' else '' '' end",
                    "conindid": "case when k.kind in (''p'', ''u'') then k.oid else 0 end"}') || '
        from redshift_internal.declared_key k join pg_catalog.pg_constraint t on t.oid = k.oid';
end $$;
create or replace view redshift_internal.pg_attrdef as
    select d.*, pg_catalog.pg_get_expr(d.adbin, d.adrelid) as adsrc from pg_catalog.pg_attrdef d;
-- Without the comments in which things are kept here.
create or replace view redshift_internal.pg_description as
    select * from pg_catalog.pg_description where classoid not in ('pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_rewrite'::regclass);

create or replace function redshift_internal.names_of(rel oid, places smallint[]) returns text language sql stable as $$
    select string_agg(quote_ident(a.attname), ', ' order by p.n) from unnest(places) with ordinality as p(attnum, n)
    join pg_catalog.pg_attribute a on a.attrelid = rel and a.attnum = p.attnum $$;
create or replace function redshift_internal.pg_get_constraintdef(oid, boolean default false) returns text language sql stable as $$
    select case kind when 'p' then 'PRIMARY KEY (' when 'u' then 'UNIQUE (' else 'FOREIGN KEY (' end
           || redshift_internal.names_of(conrelid, conkey) || ')'
           || case when kind = 'f' then ' REFERENCES ' || confrelid::regclass || '(' || redshift_internal.names_of(confrelid, confkey) || ')' else '' end
    from redshift_internal.declared_key k where k.oid = $1 $$;
create or replace function redshift_internal.pg_get_viewdef(oid, boolean default false) returns text language sql stable as $$
    select coalesce((select m.settings ->> 'definition' from redshift_internal.materialized m where m.view = $1),
                    (select v.definition || ' with no schema binding;' from redshift_internal.late_binding_view v where v.view = $1),
                    pg_catalog.pg_get_viewdef($1, $2)) $$;
grant select on all tables in schema redshift_internal to public;

-- information_schema's own views of constraints make way for the declared keys.
do $$
declare
    view text;
begin
    foreach view in array array['table_constraints', 'key_column_usage', 'referential_constraints', 'constraint_column_usage', 'check_constraints'] loop
        if to_regclass('information_schema.postgres_' || view) is null then
            execute format('alter view information_schema.%I rename to %I', view, 'postgres_' || view);
        end if;
    end loop;
end $$;
create or replace view redshift_internal.key_of as
    select k.*, current_database()::varchar as db, n.nspname::varchar as schema_name, c.relname::varchar as table_name
    from redshift_internal.declared_key k join pg_catalog.pg_class c on c.oid = k.conrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where not pg_catalog.pg_is_other_temp_schema(n.oid);
create or replace view information_schema.table_constraints as
    select db as constraint_catalog, schema_name as constraint_schema, conname::varchar as constraint_name, db as table_catalog,
           schema_name as table_schema, table_name,
           case kind when 'p' then 'PRIMARY KEY' when 'u' then 'UNIQUE' else 'FOREIGN KEY' end::varchar as constraint_type,
           'NO'::varchar as is_deferrable, 'NO'::varchar as initially_deferred
    from redshift_internal.key_of;
create or replace view information_schema.key_column_usage as
    select db as constraint_catalog, schema_name as constraint_schema, conname::varchar as constraint_name, db as table_catalog,
           schema_name as table_schema, table_name, a.attname::varchar as column_name, p.n::integer as ordinal_position
    from redshift_internal.key_of k cross join unnest(k.conkey) with ordinality as p(attnum, n)
    join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = p.attnum;
-- Of several keys of the other table with these columns, the primary one.
create or replace view information_schema.referential_constraints as
    select k.db as constraint_catalog, k.schema_name as constraint_schema, k.conname::varchar as constraint_name,
           u.db as unique_constraint_catalog, u.schema_name as unique_constraint_schema, u.conname::varchar as unique_constraint_name,
           'NONE'::varchar as match_option, 'NO ACTION'::varchar as update_rule, 'NO ACTION'::varchar as delete_rule
    from redshift_internal.key_of k left join lateral (
        select * from redshift_internal.key_of o where o.conrelid = k.confrelid and o.kind in ('p', 'u')
        and o.conkey @> k.confkey and o.conkey <@ k.confkey order by o.kind, o.conname limit 1) u on true
    where k.kind = 'f';
create or replace view information_schema.constraint_column_usage as
    select k.db as table_catalog, n.nspname::varchar as table_schema, c.relname::varchar as table_name, a.attname::varchar as column_name,
           k.db as constraint_catalog, k.schema_name as constraint_schema, k.conname::varchar as constraint_name
    from redshift_internal.key_of k cross join unnest(case k.kind when 'f' then k.confkey else k.conkey end) as p(attnum)
    join pg_catalog.pg_class c on c.oid = case k.kind when 'f' then k.confrelid else k.conrelid end
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = p.attnum;
create or replace view information_schema.check_constraints as
    select null::varchar as constraint_catalog, null::varchar as constraint_schema, null::varchar as constraint_name, null::varchar as check_clause where false;
grant select on information_schema.table_constraints, information_schema.key_column_usage, information_schema.referential_constraints,
    information_schema.constraint_column_usage, information_schema.check_constraints to public;
