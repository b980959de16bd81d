-- What Redshift keeps of a table although it changes no result: distribution, sort keys, encodings, and keys that are not
-- enforced. Layout and key are each a CHECK constraint that is always true, with JSON as its comment. So they share the
-- fate of their table: its transaction, its owner, its drop, its columns' new names. Why not tables of ours: whoever makes
-- a table would write what everybody reads, and SERIALIZABLE would abort transactions that have nothing to do with
-- each other. A foreign key's expression names the other table, so that PostgreSQL knows of the dependency.
-- The comment is looked up for each constraint, which are few, rather than the many comments joined.
create or replace view redshift_internal.declaration as
    select oid, conname, connamespace, conrelid, conkey, description::jsonb as said from (
        select k.*, (select d.description from pg_catalog.pg_description d
                     where d.objoid = k.oid and d.classoid = 'pg_catalog.pg_constraint'::regclass and d.objsubid = 0) as description
        from pg_catalog.pg_constraint k where k.contype = 'c' and k.conname not like 'redshift#_bytes#_%' escape '#' offset 0) k
    where description like '{"%';

create or replace function redshift_internal.places(list jsonb) returns smallint[] language sql immutable as $$
    select case when jsonb_typeof($1) = 'array'
                then array(select e::smallint from jsonb_array_elements_text($1) with ordinality as x(e, n) order by n) end $$;

-- The keys: kind is p, u or f, as contype has it.
create or replace view redshift_internal.declared_key as
    select oid, conname, connamespace, conrelid, conkey, said ->> 'key' as kind,
           coalesce((said ->> 'table')::oid, 0) as confrelid, redshift_internal.places(said -> 'references') as confkey
    from redshift_internal.declaration where said ? 'key';

-- The layout of tables that have any declared, and of materialized views. `sort` is NULL for AUTO, empty for none.
create or replace view redshift_internal.layout as
    select conrelid as relid, coalesce(said ->> 'style', 'AUTO') as style, (said ->> 'distkey')::smallint as distkey,
           redshift_internal.places(said -> 'sort') as sort, coalesce((said ->> 'interleaved')::boolean, false) as interleaved,
           nullif(said -> 'encode', 'null') as encode
    from redshift_internal.declaration where said ? 'layout'
    union all
    select m.storage, split_part(m.settings ->> 'dist', '(', 1),
           (select a.attnum from pg_catalog.pg_attribute a where a.attrelid = m.storage and a.attname = m.settings ->> 'key'),
           array(select a.attnum from jsonb_array_elements_text(m.settings -> 'sort') with ordinality as s(name, n)
                 join pg_catalog.pg_attribute a on a.attrelid = m.storage and a.attname = s.name order by s.n), false, null
    from redshift_internal.materialized m;

-- Redshift's defaults, where none is given ("CREATE TABLE", ENCODE). That of SUPER is not documented.
create or replace function redshift_internal.encoding(place smallint, kind oid, sort smallint[], encode jsonb) returns text
language sql stable as $$
    select case
        when encode ? place::text then encode ->> place::text
        when place = any (sort) then 'none'
        when kind in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'date'::regtype, 'time'::regtype,
                      'timetz'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) then 'az64'
        when kind in ('varchar'::regtype, 'bpchar'::regtype, 'text'::regtype, 'bytea'::regtype, 'pg_catalog.varbyte'::regtype) then 'lzo'
        else 'none' end $$;

-- Which number stands for which encoding in pg_attribute is not documented: these are ours.
create or replace function pg_catalog.format_encoding(integer) returns text language sql immutable as $$
    select (array['none', 'bytedict', 'delta', 'delta32k', 'lzo', 'mostly8', 'mostly16', 'mostly32', 'runlength', 'text255',
                  'text32k', 'zstd', 'az64'])[$1 + 1] $$;
create or replace function redshift_internal.encoding_number(text) returns smallint language sql immutable as $$
    select (n - 1)::smallint from generate_series(1, 13) n where pg_catalog.format_encoding(n - 1) = $1 $$;

-- A column's place in the sort key; in an interleaved one signs alternate, as "PG_TABLE_DEF" shows.
create or replace function redshift_internal.sort_place(place smallint, sort smallint[], interleaved boolean) returns integer
language sql immutable as $$
    select coalesce(array_position(sort, place) * case when interleaved and array_position(sort, place) % 2 = 1 then -1 else 1 end, 0) $$;
grant select on all tables in schema redshift_internal to public;

-- "Compression encodings": which types each may have. Of SUPER and VARBYTE the page says nothing.
create or replace function redshift_internal.fits(encoding text, kind regtype) returns boolean language sql immutable as $$
    select case
        when kind not in ('int2', 'int4', 'int8', 'numeric', 'date', 'timestamp', 'timestamptz', 'varchar', 'bpchar', 'float4', 'float8', 'bool') then true
        when encoding in ('none', 'zstd', 'runlength') then true
        when encoding = 'bytedict' then kind <> 'bool'::regtype
        when encoding in ('text255', 'text32k') then kind = 'varchar'::regtype
        when encoding = 'mostly32' then kind in ('int8', 'numeric')
        when encoding = 'mostly16' then kind in ('int4', 'int8', 'numeric')
        when encoding = 'mostly8' then kind in ('int2', 'int4', 'int8', 'numeric')
        when encoding = 'delta32k' then kind in ('int4', 'int8', 'numeric', 'date', 'timestamp')
        when encoding = 'delta' then kind in ('int2', 'int4', 'int8', 'numeric', 'date', 'timestamp')
        when encoding = 'lzo' then kind not in ('bool', 'float4', 'float8')
        else kind in ('int2', 'int4', 'int8', 'numeric', 'date', 'timestamp', 'timestamptz') end $$;

create or replace function redshift_internal.place(tab regclass, col text) returns smallint language plpgsql stable as $$
declare
    found smallint;
begin
    select attnum into found from pg_catalog.pg_attribute where attrelid = tab and attname = col and attnum > 0 and not attisdropped;
    if found is null then
        raise exception 'column "%" named in key does not exist', col using errcode = 'undefined_column';
    end if;
    return found;
end $$;
create or replace function redshift_internal.places_of(tab regclass, names jsonb) returns jsonb language sql stable as $$
    select coalesce(jsonb_agg(redshift_internal.place(tab, name) order by n), '[]')
    from jsonb_array_elements_text(names) with ordinality as x(name, n) $$;

-- A name for a key that has none: a PostgreSQL of Redshift's age takes the first column's for it.
create or replace function redshift_internal.key_name(tab regclass, kind text, columns jsonb) returns name language plpgsql stable as $$
declare
    wanted text;
    n integer := 0;
begin
    select left(relname || '_' || case kind when 'p' then 'pkey' else
                (columns ->> 0) || case kind when 'u' then '_key' else '_fkey' end end, 60)
    into wanted from pg_catalog.pg_class where oid = tab;
    while exists (select from pg_catalog.pg_constraint where conrelid = tab and conname = wanted || case n when 0 then '' else n::text end) loop
        n := n + 1;
    end loop;
    return wanted || case n when 0 then '' else n::text end;
end $$;

create or replace procedure redshift_internal.add_key(tab regclass, said jsonb) language plpgsql as $$
declare
    kind text := said ->> 'key';
    places jsonb := redshift_internal.places_of(tab, said -> 'columns');
    other regclass := (said ->> 'table')::regclass;
    others jsonb;
    called name := coalesce(said ->> 'name', redshift_internal.key_name(tab, kind, said -> 'columns'));
begin
    if kind = 'p' and exists (select from redshift_internal.declared_key k where k.conrelid = tab and k.kind = 'p') then
        raise exception 'multiple primary keys for table "%" are not allowed', tab using errcode = 'invalid_table_definition';
    elsif kind = 'p' and exists (select from pg_catalog.pg_attribute where attrelid = tab and not attnotnull
                                 and attnum = any (redshift_internal.places(places))) then
        raise exception 'a primary key cannot be added to a column that may be NULL' using errcode = 'feature_not_supported';
    elsif kind = 'f' then
        others := case when said ? 'references' then redshift_internal.places_of(other, said -> 'references')
                  else (select to_jsonb(k.conkey) from redshift_internal.declared_key k where k.conrelid = other and k.kind = 'p') end;
        if others is null then
            raise exception 'there is no primary key for referenced table "%"', other using errcode = 'invalid_foreign_key';
        elsif jsonb_array_length(others) <> jsonb_array_length(places) then
            raise exception 'number of referencing and referenced columns for foreign key disagree' using errcode = 'invalid_foreign_key';
        elsif not exists (select from redshift_internal.declared_key k where k.conrelid = other and k.kind in ('p', 'u')
                          and k.conkey @> redshift_internal.places(others) and k.conkey <@ redshift_internal.places(others)) then
            raise exception 'there is no unique constraint matching given keys for referenced table "%"', other
                using errcode = 'invalid_foreign_key';
        end if;
    end if;
    execute format('alter table %s add constraint %I check (true or %s%s) not valid', tab, called,
        (select string_agg(format('%I is null', c), ' or ' order by n) from jsonb_array_elements_text(said -> 'columns') with ordinality as x(c, n)),
        case when other is not null then format(' or %L::regclass is null', other::text) end);
    execute format('comment on constraint %I on %s is %L', called, tab,
                   jsonb_strip_nulls(jsonb_build_object('key', kind, 'table', other::oid::bigint, 'references', others)));
end $$;

-- Puts `said` over what is known of a table's layout: style, distkey, sort, interleaved, encode.
create or replace procedure redshift_internal.set_layout(tab regclass, said jsonb) language plpgsql as $$
declare
    known jsonb := coalesce((select d.said from redshift_internal.declaration d where d.conrelid = tab and d.said ? 'layout'), '{"layout": true}');
    unfit text;
begin
    select key into unfit from jsonb_each_text(case jsonb_typeof(said -> 'encode') when 'object' then said -> 'encode' else '{}' end)
    join pg_catalog.pg_attribute on attrelid = tab and attname = key where not redshift_internal.fits(value, atttypid);
    if unfit is not null then
        raise exception 'invalid encoding type specified for column "%"', unfit using errcode = 'syntax_error';
    end if;
    if known = '{"layout": true}' then
        execute format('alter table %s add constraint redshift_layout check (true) not valid', tab);
    end if;
    if said ? 'distkey' then
        said := said || jsonb_build_object('distkey', case when said ->> 'distkey' is not null then redshift_internal.place(tab, said ->> 'distkey') end);
    end if;
    if jsonb_typeof(said -> 'sort') = 'array' then
        said := said || jsonb_build_object('sort', redshift_internal.places_of(tab, said -> 'sort'));
    end if;
    if jsonb_typeof(said -> 'encode') = 'object' then
        said := said || jsonb_build_object('encode', coalesce(nullif(known -> 'encode', 'null'), '{}') || (
            select coalesce(jsonb_object_agg(redshift_internal.place(tab, key), value), '{}') from jsonb_each_text(said -> 'encode')));
    end if;
    execute format('comment on constraint redshift_layout on %s is %L', tab, known || said);
end $$;

-- LIKE takes over the layout, and the limits of VARBYTE, by the names of columns.
create or replace procedure redshift_internal.take_layout(tab regclass, source regclass) language plpgsql as $$
declare
    limited record;
    found redshift_internal.layout;
    said jsonb;
begin
    for limited in select conname, pg_catalog.pg_get_constraintdef(oid) as text from pg_catalog.pg_constraint
                   where conrelid = source and conname like 'redshift#_bytes#_%' escape '#'
                   and conname not in (select k.conname from pg_catalog.pg_constraint k where k.conrelid = tab) loop
        execute format('alter table %s add constraint %I %s', tab, limited.conname, limited.text);
    end loop;
    select * into found from redshift_internal.layout l where l.relid = source;
    if found.relid is not null then
        said := jsonb_build_object(
            'style', found.style, 'interleaved', found.interleaved,
            'distkey', (select attname from pg_catalog.pg_attribute where attrelid = source and attnum = found.distkey),
            'sort', case when found.sort is not null then (
                select coalesce(jsonb_agg(a.attname order by s.n), '[]') from unnest(found.sort) with ordinality as s(place, n)
                join pg_catalog.pg_attribute a on a.attrelid = source and a.attnum = s.place) end,
            'encode', (select jsonb_object_agg(a.attname, e.value) from jsonb_each_text(found.encode) e
                       join pg_catalog.pg_attribute a on a.attrelid = source and a.attnum = e.key::smallint));
        call redshift_internal.set_layout(tab, said);
    end if;
end $$;

create or replace procedure redshift_internal.declare(tab regclass, said jsonb) language plpgsql as $$
declare
    one jsonb;
begin
    if said ? 'like' then
        call redshift_internal.take_layout(tab, (said ->> 'like')::regclass);
    end if;
    if said ? 'layout' then
        call redshift_internal.set_layout(tab, said -> 'layout');
    end if;
    for one in select * from jsonb_array_elements(coalesce(said -> 'keys', '[]')) loop
        call redshift_internal.add_key(tab, one);
    end loop;
end $$;

-- The table that a CREATE of this name makes: without a schema it is the first one's, or temporary.
create or replace function redshift_internal.made(name text, temporary boolean) returns regclass language sql stable as $$
    select (case when cardinality(parse_ident($1)) > 1 then '' when $2 then 'pg_temp.' else quote_ident(current_schema()) || '.' end || $1)::regclass $$;

create or replace procedure redshift_internal.create_table(ddl text, name text, temporary boolean, said jsonb) language plpgsql as $$
begin
    if ddl ~ '^create (temporary )?table if not exists ' and to_regclass(name) is not null then
        raise notice 'Relation "%" already exists, skipping', name using errcode = 'duplicate_table';
        return;
    end if;
    execute ddl;
    call redshift_internal.declare(redshift_internal.made(name, temporary), said);
end $$;

create or replace procedure redshift_internal.check_drop_column(tab regclass, col text) language plpgsql as $$
declare
    place smallint := (select attnum from pg_catalog.pg_attribute where attrelid = tab and attname = col);
begin
    if exists (select from redshift_internal.layout l where l.relid = tab and (l.distkey = place or place = any (l.sort))) then
        raise exception 'cannot drop column "%": it is a distribution or sort key of table "%"', col, tab using errcode = 'feature_not_supported';
    end if;
end $$;
