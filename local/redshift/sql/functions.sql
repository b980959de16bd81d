-- Redshift's functions that PostgreSQL lacks, under their own names, so that statements need not be changed.
-- No backslash in here: bodies are read under the session's own string rules.
-- GETDATE() is the start of the statement, SYSDATE that of the transaction.
create or replace function pg_catalog.getdate() returns timestamp language sql stable
    as $$ select date_trunc('second', statement_timestamp() at time zone 'UTC') $$;
create or replace function pg_catalog.sysdate() returns timestamp language sql stable
    as $$ select now() at time zone 'UTC' $$;
create or replace function pg_catalog.version() returns text language sql stable
    as $$ select 'PostgreSQL 8.0.2 on a local imitation of Redshift, Redshift 1.0.0'::text $$;

-- Strings
create or replace function pg_catalog.len(text) returns integer language sql immutable strict
    as $$ select length($1) $$;
create or replace function pg_catalog.len(bytea) returns integer language sql immutable strict
    as $$ select octet_length($1) $$;
create or replace function pg_catalog.charindex(text, text) returns integer language sql immutable strict
    as $$ select strpos($2, $1) $$;
create or replace function pg_catalog.sha2(text, integer) returns varchar language sql immutable strict
    as $$ select case $2 when 0 then encode(sha256(convert_to($1, 'UTF8')), 'hex')
                         when 224 then encode(sha224(convert_to($1, 'UTF8')), 'hex')
                         when 256 then encode(sha256(convert_to($1, 'UTF8')), 'hex')
                         when 384 then encode(sha384(convert_to($1, 'UTF8')), 'hex')
                         when 512 then encode(sha512(convert_to($1, 'UTF8')), 'hex') end::varchar $$;
create or replace function pg_catalog.strtol(text, integer) returns bigint language plpgsql immutable strict as $$
declare
    total bigint := 0;
    digit integer;
    part text;
    number text := lower(ltrim($1));
    sign bigint := case when number like '-%' then -1 else 1 end;
begin
    number := regexp_replace(number, '^[+-]', '');
    number := case when $2 = 16 then regexp_replace(number, '^0x', '') else number end;
    for place in 1 .. length(number) loop
        part := substr(number, place, 1);
        digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', part) - 1;
        if digit < 0 or digit >= $2 then
            raise exception 'The input is not valid to be converted to base %', $2 using errcode = '22023';
        end if;
        total := total * $2 + digit * sign;
    end loop;
    return total;
end $$;

-- VARBYTE
create or replace function pg_catalog.to_hex(bytea) returns varchar language sql immutable strict
    as $$ select encode($1, 'hex')::varchar $$;
create or replace function pg_catalog.from_hex(text) returns varbyte language sql immutable strict
    as $$ select decode($1, 'hex')::varbyte $$;
create or replace function pg_catalog.to_varbyte(text, text) returns varbyte language sql immutable strict
    as $$ select (case lower($2) when 'hex' then decode($1, 'hex') when 'base64' then decode($1, 'base64')
                  when 'utf8' then convert_to($1, 'UTF8') when 'utf-8' then convert_to($1, 'UTF8') end)::varbyte $$;
create or replace function pg_catalog.from_varbyte(bytea, text) returns varchar language sql immutable strict
    as $$ select (case lower($2) when 'hex' then encode($1, 'hex') when 'base64' then encode($1, 'base64')
                  when 'utf8' then convert_from($1, 'UTF8') when 'utf-8' then convert_from($1, 'UTF8') end)::varchar $$;

-- SUPER. Text is read as JSON by its input function: a cast makes a JSON string of it (super.sql).
create or replace function redshift_internal.read_json(text) returns jsonb language sql immutable strict
    as $$ select jsonb_in(textout($1)) $$;
create or replace function pg_catalog.can_json_parse(text) returns boolean language plpgsql immutable strict as $$
begin
    perform redshift_internal.read_json($1);
    return true;
exception when others then
    return false;
end $$;
create or replace function pg_catalog.is_valid_json(text) returns boolean language sql immutable strict
    as $$ select can_json_parse($1) and jsonb_typeof(redshift_internal.read_json($1)) in ('object') $$;
create or replace function pg_catalog.json_parse(text) returns super language sql immutable strict
    as $$ select redshift_internal.read_json($1)::super $$;
create or replace function pg_catalog.json_serialize(jsonb) returns varchar language plpgsql immutable strict as $$
begin
    return case jsonb_typeof($1)
        when 'object' then (select '{' || coalesce(string_agg(to_jsonb(key)::text || ':' || json_serialize(value), ','), '') || '}'
                            from jsonb_each($1))
        when 'array' then (select '[' || coalesce(string_agg(json_serialize(value), ',' order by n), '') || ']'
                           from jsonb_array_elements($1) with ordinality as e(value, n))
        else $1::text end;
end $$;
create or replace function pg_catalog.json_typeof(jsonb) returns varchar language sql immutable strict
    as $$ select jsonb_typeof($1)::varchar $$;
create or replace function pg_catalog.get_array_length(jsonb) returns bigint language sql immutable strict
    as $$ select case when jsonb_typeof($1) = 'array' then jsonb_array_length($1)::bigint end $$;
create or replace function pg_catalog.is_array(jsonb) returns boolean language sql immutable strict
    as $$ select jsonb_typeof($1) = 'array' $$;
create or replace function pg_catalog.is_object(jsonb) returns boolean language sql immutable strict
    as $$ select jsonb_typeof($1) = 'object' $$;
create or replace function redshift_internal.json_text(jsonb) returns varchar language sql immutable strict
    as $$ select case when jsonb_typeof($1) = 'string' then $1 #>> '{}' when jsonb_typeof($1) <> 'null' then json_serialize($1) end $$;
-- A cast of SUPER gives a string without its quotes. Types are rewritten so that every cast to text is one to varchar
-- (types.py); ::text itself stays PostgreSQL's, which json_serialize() needs.
create or replace function redshift_internal.super_to_varchar(jsonb) returns varchar language plpgsql immutable strict as $$
begin
    if jsonb_typeof($1) in ('object', 'array') then
        raise exception 'a SUPER that is an object or an array is not cast to VARCHAR here: use JSON_SERIALIZE' using errcode = '0A000';
    end if;
    return redshift_internal.json_text($1);
end $$;
do $$
begin
    if not exists (select 1 from pg_cast where castsource = 'jsonb'::regtype and casttarget = 'varchar'::regtype) then
        create cast (jsonb as varchar) with function redshift_internal.super_to_varchar(jsonb);
    end if;
end $$;
create or replace function pg_catalog.json_extract_path_text(text, variadic text[]) returns varchar
language plpgsql immutable strict as $$
begin
    return case when redshift_internal.read_json($1) #> $2 is null then '' else redshift_internal.json_text(redshift_internal.read_json($1) #> $2) end;
exception when invalid_text_representation then
    raise exception 'JSON parsing error' using errcode = 'XX000';
end $$;
create or replace function redshift_internal.json_path_or_null(text, text[]) returns varchar
language sql immutable strict
    as $$ select case when can_json_parse($1) then json_extract_path_text($1, variadic $2) end $$;
create or replace function pg_catalog.json_extract_path_text(text, text, boolean) returns varchar language sql immutable
    as $$ select case when $3 then redshift_internal.json_path_or_null($1, array[$2]) else json_extract_path_text($1, $2) end $$;
create or replace function pg_catalog.json_extract_path_text(text, text, text, boolean) returns varchar language sql immutable
    as $$ select case when $4 then redshift_internal.json_path_or_null($1, array[$2, $3]) else json_extract_path_text($1, $2, $3) end $$;
create or replace function pg_catalog.json_extract_path_text(text, text, text, text, boolean) returns varchar language sql immutable
    as $$ select case when $5 then redshift_internal.json_path_or_null($1, array[$2, $3, $4]) else json_extract_path_text($1, $2, $3, $4) end $$;
create or replace function pg_catalog.json_array_length(text) returns integer language sql immutable strict
    as $$ select jsonb_array_length(redshift_internal.read_json($1)) $$;
create or replace function pg_catalog.json_extract_array_element_text(text, integer) returns varchar language sql immutable strict
    as $$ select case when $2 < 0 then ''
                      else coalesce(redshift_internal.json_text(redshift_internal.read_json($1) -> $2), '') end::varchar $$;

-- Numbers and aggregates
create or replace function pg_catalog.round(double precision, integer) returns double precision language sql immutable strict
    as $$ select round($1::numeric, $2)::double precision $$;
create or replace function redshift_internal.first_of(anyelement, anyelement) returns anyelement language sql immutable strict
    as $$ select $1 $$;
do $$
begin
    if not exists (select 1 from pg_proc where proname = 'any_value') then
        create aggregate pg_catalog.any_value(anyelement) (sfunc = redshift_internal.first_of, stype = anyelement);
    end if;
end $$;

-- AVG of integers is an integer on Redshift. expressions.py sends AVG here.
create or replace function redshift_internal.avg_end(numeric[]) returns bigint language sql immutable
    as $$ select trunc($1[1] / nullif($1[2], 0))::bigint $$;
do $$
declare
    kind text;
begin
    foreach kind in array array['smallint', 'integer', 'bigint'] loop
        execute format('create or replace function redshift_internal.avg_step(numeric[], %s) returns numeric[]
            language sql immutable
            as ''select case when $2 is null then $1 else array[$1[1] + $2, $1[2] + 1] end''', kind);
        execute format('create or replace aggregate redshift_internal.avg(%s) (sfunc = redshift_internal.avg_step,
            stype = numeric[], finalfunc = redshift_internal.avg_end, initcond = ''{0,0}'')', kind);
    end loop;
end $$;
create or replace aggregate redshift_internal.avg(double precision) (
    sfunc = float8_accum, stype = double precision[], finalfunc = float8_avg, initcond = '{0,0,0}');

-- TRY_CAST: what cannot be read is NULL. The second argument only tells the type.
create or replace function redshift_internal.try_cast(text, anyelement) returns anyelement language plpgsql immutable as $$
declare
    found $2%type;
begin
    execute format('select %L::%s', $1, pg_typeof($2)) into found;
    return found;
exception when data_exception then
    return null;
end $$;
