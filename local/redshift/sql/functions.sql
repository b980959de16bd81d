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
