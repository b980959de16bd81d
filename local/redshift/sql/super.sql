-- SUPER: its stored form (types.sql), what it may hold, steps into it, casts.
-- `set standard_conforming_strings` where a body holds a backslash: bodies are read under the session's own string rules.

-- The stored form.
create or replace function redshift_internal.stored(super) returns text language sql immutable strict
    as $$ select textin(super_out($1)) $$;
create or replace function redshift_internal.from_stored(text) returns super language sql immutable strict
    as $$ select super_in(textout($1)) $$;
create or replace function redshift_internal.super_string(text) returns super language sql immutable strict
    as $$ select redshift_internal.from_stored(case when left($1, 1) = chr(1) then chr(1) || to_json($1)::text else $1 end) $$;
-- In PL/pgSQL what every path and comparison calls: a function in SQL with a CASE is not inlined, and slow.
create or replace function redshift_internal.super_json(json) returns super language plpgsql immutable strict as $$
begin
    return case when left($1::text, 1) = '"' then redshift_internal.super_string($1 #>> '{}')
                else super_in(textout(chr(1) || $1::text)) end;
end $$;
create or replace function redshift_internal.json(super) returns json language plpgsql immutable strict as $$
declare
    stored constant text := textin(super_out($1));
begin
    return case when left(stored, 1) = chr(1) then substr(stored, 2)::json else to_json(stored) end;
end $$;
create or replace function redshift_internal.kind(super) returns text language plpgsql immutable strict as $$
declare
    start constant text := left(textin(super_out($1)), 2);
begin
    return case when left(start, 1) <> chr(1) or start = '' then 'string'
                else case substr(start, 2) when '{' then 'object' when '[' then 'array' when 't' then 'boolean' when 'f' then 'boolean'
                                           when 'n' then 'null' when '"' then 'string' else 'number' end end;
end $$;
-- A scalar as text, a string without its quotes; an array, an object or null is none.
create or replace function redshift_internal.scalar(super) returns text language plpgsql immutable strict as $$
declare
    stored constant text := textin(super_out($1));
begin
    return case when left(stored, 1) <> chr(1) or stored = '' then stored
                when substr(stored, 2, 1) = '"' then substr(stored, 2)::json #>> '{}'
                when substr(stored, 2, 1) not in ('{', '[', 'n') then substr(stored, 2) end;
end $$;
create or replace function redshift_internal.super_array(json[]) returns super language sql immutable strict
    as $$ select redshift_internal.from_stored(chr(1) || '[' || array_to_string($1, ',', 'null') || ']') $$;

create or replace function redshift_internal.invalid_input(context text) returns void language plpgsql as $$
begin
    raise exception 'Invalid input' using errcode = 'XX000', detail = 'code: 8001, context: ' || context;
end $$;

-- JSON without the blanks between its parts and with every string written in one way.
create or replace function redshift_internal.compact(value text) returns text language sql immutable strict
set standard_conforming_strings = on as $$
    select string_agg(case when left(m[1], 1) = '"' then to_json(m[1]::json #>> '{}')::text else m[1] end, '' order by n)
    from regexp_matches(value, '"(?:[^"\\]|\\.)*"|[^"[:space:]]+', 'g') with ordinality as r(m, n)
$$;

-- JSON text to SUPER. Redshift refuses a name that an object has twice, a string beyond VARCHAR's longest, more than
-- 16 MB and more than 1,000 levels; errors hold none of the text.
create or replace function redshift_internal.read_json(value text) returns super language plpgsql immutable strict
set standard_conforming_strings = on as $$
declare
    escapes constant boolean := strpos(value, '\') > 0;
    strings constant text := case when escapes then '"(?:[^"\\]|\\.)*"' else '"[^"]*"' end;  -- the second is much faster
    found text;
    bare text;
    kept text;
begin
    begin
        perform value::json;
        found := case when escapes then redshift_internal.compact(value)
                      else regexp_replace(value, '("[^"]*")|[[:space:]]+', '\1', 'g') end;
        kept := regexp_replace(found::jsonb::text, strings, '', 'g');
    exception when data_exception or statement_too_complex then
        perform redshift_internal.invalid_input('Invalid JSON format');
    end;
    bare := regexp_replace(found, strings, '', 'g');
    if length(bare) - length(replace(bare, ':', '')) <> length(kept) - length(replace(kept, ':', '')) then
        perform redshift_internal.invalid_input('SUPER value has duplicate attributes');
    elsif octet_length(found) > 65535 and exists (
        select from regexp_matches(found, strings, 'g') as r(m) where octet_length(m[1]::json #>> '{}') > 65535) then
        perform redshift_internal.invalid_input('SUPER value has a string longer than 65535 bytes');
    elsif octet_length(found) > 16777216 then
        perform redshift_internal.invalid_input('SUPER value is larger than 16 MB');
    elsif length(bare) - length(translate(bare, '[{', '')) > 1000 and (
        select max(level) > 1000 from (
            select sum(case when c in ('[', '{') then 1 when c in (']', '}') then -1 else 0 end) over (order by n) as level
            from regexp_split_to_table(bare, '') with ordinality as s(c, n)) levels) then
        perform redshift_internal.invalid_input('SUPER value has more than 1000 levels');
    end if;
    return redshift_internal.super_json(found::json);
end $$;

-- A step into an object or an array; NULL where there is no such thing. A JSON null is NULL too.
-- Of current_schemas(), which redshift_connector asks for: an array of PostgreSQL's, as it is on Redshift.
create or replace function redshift_internal.step(name[], integer) returns name language sql immutable as 'select $1[$2]';
create or replace function redshift_internal.step(super, text) returns super language plpgsql immutable strict as $$
declare
    stored constant text := textin(super_out($1));
    found json;
begin
    if left(stored, 2) = chr(1) || '{' then
        found := substr(stored, 2)::json -> $2;
    end if;
    return case when found::text <> 'null' then redshift_internal.super_json(found) end;
end $$;
create or replace function redshift_internal.step(super, integer) returns super language plpgsql immutable strict as $$
declare
    stored constant text := textin(super_out($1));
    found json;
begin
    if left(stored, 2) = chr(1) || '[' and $2 >= 0 then
        found := substr(stored, 2)::json -> $2;
    end if;
    return case when found::text <> 'null' then redshift_internal.super_json(found) end;
end $$;
create or replace function redshift_internal.elements(super) returns table (value super, at bigint) language sql immutable strict
    as $$ select redshift_internal.super_json(e.value), e.n - 1
          from json_array_elements(case when redshift_internal.kind($1) = 'array' then redshift_internal.json($1)
                                   else json_build_array(redshift_internal.json($1)) end) with ordinality as e(value, n) $$;
create or replace function redshift_internal.items(super) returns setof super language sql immutable strict
    as $$ select value from redshift_internal.elements($1) order by at $$;
create or replace function redshift_internal.attributes(super) returns table (value super, name varchar) language sql immutable strict
    as $$ select redshift_internal.super_json(e.value), e.key::varchar
          from json_each(case when redshift_internal.kind($1) = 'object' then redshift_internal.json($1) end) as e $$;

-- Casts to SUPER happen when it is assigned. A string stays a string: JSON_PARSE is what reads it. A floating-point
-- number has an exponent, which is what tells it from a decimal.
create or replace function redshift_internal.to_super(text) returns super language sql immutable strict
    as $$ select redshift_internal.super_string($1) $$;
create or replace function redshift_internal.to_super(varchar) returns super language sql immutable strict
    as $$ select redshift_internal.super_string($1) $$;
create or replace function redshift_internal.to_super(bpchar) returns super language sql immutable strict
    as $$ select redshift_internal.super_string($1) $$;
create or replace function redshift_internal.to_super(boolean) returns super language sql immutable strict
    as $$ select redshift_internal.from_stored(chr(1) || $1::text) $$;
create or replace function redshift_internal.to_super(numeric) returns super language sql immutable strict
    as $$ select redshift_internal.from_stored(chr(1) || $1::text) $$;
create or replace function redshift_internal.float_to_super(value text) returns super language plpgsql immutable strict as $$
declare
    digits text := ltrim(replace(split_part(ltrim(value, '-'), 'e', 1), '.', ''), '0');
    whole text := split_part(split_part(ltrim(value, '-'), 'e', 1), '.', 1);
    fraction text := split_part(split_part(value, 'e', 1), '.', 2);
    exponent integer := coalesce(nullif(split_part(value, 'e', 2), ''), '0')::integer;
begin
    if value in ('NaN', 'Infinity', '-Infinity') then
        raise exception 'cannot cast % to super', value using errcode = '22003';
    end if;
    if whole <> '0' then
        exponent := exponent + length(whole) - 1;
    elsif digits <> '' then
        exponent := exponent - (length(fraction) - length(ltrim(fraction, '0'))) - 1;
    end if;
    digits := coalesce(nullif(rtrim(digits, '0'), ''), '0');
    return redshift_internal.from_stored(chr(1) || case when left(value, 1) = '-' then '-' else '' end || left(digits, 1)
        || case when length(digits) > 1 then '.' || substr(digits, 2) else '' end
        || 'e' || case when exponent < 0 then '-' else '+' end || abs(exponent));
end $$;
do $$
declare
    kind text;
begin
    foreach kind in array array['smallint', 'integer', 'bigint'] loop
        execute format('create or replace function redshift_internal.to_super(%s) returns super language sql immutable strict as %L',
                       kind, 'select redshift_internal.to_super($1::numeric)');
    end loop;
    foreach kind in array array['real', 'double precision'] loop
        execute format('create or replace function redshift_internal.to_super(%s) returns super language sql immutable strict '
                       'set extra_float_digits = 1 as %L', kind, 'select redshift_internal.float_to_super($1::text)');
    end loop;
    foreach kind in array array['text', 'varchar', 'bpchar', 'boolean', 'smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision'] loop
        if not exists (select from pg_cast where castsource = kind::regtype and casttarget = 'super'::regtype) then
            execute format('create cast (%1$s as super) with function redshift_internal.to_super(%1$s) as assignment', kind);
        end if;
    end loop;
end $$;

-- Casts from SUPER are explicit, and NULL where the value's own type has no such cast or the value does not fit it.
create or replace function redshift_internal.super_to_varchar(super, integer, boolean) returns varchar language sql immutable strict
    as $$ select redshift_internal.fit_varchar(redshift_internal.scalar($1), $2, true) $$;
create or replace function redshift_internal.super_to_text(super) returns text language sql immutable strict
    as $$ select redshift_internal.scalar($1) $$;
create or replace function redshift_internal.super_to_name(super) returns name language sql immutable strict
    as $$ select redshift_internal.scalar($1)::name $$;
create or replace function redshift_internal.super_to_bpchar(super, integer, boolean) returns bpchar language sql immutable strict
    as $$ select case when $2 < 4 then redshift_internal.scalar($1)::bpchar else bpchar(redshift_internal.scalar($1)::bpchar, $2, true) end $$;
create or replace function redshift_internal.super_to_boolean(super) returns boolean language plpgsql immutable strict as $$
begin
    -- A number with digits after the point is a decimal, which has no cast to boolean.
    return case when redshift_internal.kind($1) <> 'number' then redshift_internal.scalar($1)::boolean
                when strpos(lower(redshift_internal.scalar($1)), 'e') + strpos(redshift_internal.scalar($1), '.') = 0
                then redshift_internal.scalar($1)::numeric <> 0 end;
exception when data_exception then
    return null;
end $$;
create or replace function redshift_internal.super_to_numeric(super, integer, boolean) returns numeric language plpgsql immutable strict as $$
begin
    return case when redshift_internal.kind($1) <> 'boolean' then pg_catalog."numeric"(redshift_internal.scalar($1)::numeric, $2) end;
exception when data_exception then
    return null;
end $$;
do $$
declare
    kind text;
    value text;
begin
    foreach kind in array array['smallint', 'integer', 'bigint', 'real', 'double precision'] loop
        value := 'case redshift_internal.kind($1) when ''number'' then redshift_internal.scalar($1)::numeric::%1$s'
                 ' when ''string'' then redshift_internal.scalar($1)::%1$s'
                 || case when kind like '%int%' then ' when ''boolean'' then redshift_internal.scalar($1)::boolean::integer::%1$s' else '' end
                 || ' end';
        execute format('create or replace function redshift_internal.super_to_%s(super) returns %s language plpgsql immutable strict as %L',
                       replace(kind, ' ', '_'), kind,
                       format('begin return ' || value || '; exception when data_exception then return null; end', kind));
    end loop;
    foreach kind in array array['date', 'timestamp', 'timestamptz', 'time', 'timetz'] loop
        execute format('create or replace function redshift_internal.super_to_%1$s(super) returns %1$s language plpgsql stable strict as %2$L', kind,
                       format('begin return case when redshift_internal.kind($1) = ''string'' then redshift_internal.scalar($1)::%s end; '
                              'exception when data_exception then return null; end', kind));
    end loop;
    foreach kind in array array['text', 'name', 'boolean', 'smallint', 'integer', 'bigint', 'real', 'double precision', 'date', 'timestamp',
                                'timestamptz', 'time', 'timetz', 'varchar', 'bpchar', 'numeric'] loop
        if not exists (select from pg_cast where castsource = 'super'::regtype and casttarget = kind::regtype) then
            execute format('create cast (super as %s) with function redshift_internal.super_to_%s(super%s)', kind, replace(kind, ' ', '_'),
                           case when kind in ('varchar', 'bpchar', 'numeric') then ', integer, boolean' else '' end);
        end if;
    end loop;
end $$;
