-- Redshift's functions that PostgreSQL lacks, under their own names, so that statements need not be changed.
-- No backslash in here: bodies are read under the session's own string rules.
create or replace function pg_catalog.getdate() returns timestamp language sql stable
    as $$ select date_trunc('second', now() at time zone 'UTC') $$;
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
begin
    foreach part in array regexp_split_to_array(lower(ltrim($1, '-')), '') loop
        digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', part) - 1;
        if part = '' or digit < 0 or digit >= $2 then
            raise exception 'The input is not valid to be converted to base %', $2 using errcode = '22023';
        end if;
        total := total * $2 + digit;
    end loop;
    return case when left($1, 1) = '-' then -total else total end;
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

-- Dates. DATEDIFF counts boundaries that were crossed, not whole units that have passed.
create or replace function redshift_internal.date_unit(text) returns text language plpgsql immutable strict as $$
begin
    return case
        when lower($1) in ('millennium', 'millennia', 'mil', 'mils') then 'millennium'
        when lower($1) in ('century', 'centuries', 'c', 'cent', 'cents') then 'century'
        when lower($1) in ('decade', 'decades', 'dec', 'decs') then 'decade'
        when lower($1) in ('year', 'years', 'y', 'yr', 'yrs') then 'year'
        when lower($1) in ('quarter', 'quarters', 'qtr', 'qtrs') then 'quarter'
        when lower($1) in ('month', 'months', 'mon', 'mons') then 'month'
        when lower($1) in ('week', 'weeks', 'w') then 'week'
        when lower($1) in ('day', 'days', 'd') then 'day'
        when lower($1) in ('hour', 'hours', 'h', 'hr', 'hrs') then 'hour'
        when lower($1) in ('minute', 'minutes', 'm', 'min', 'mins') then 'minute'
        when lower($1) in ('second', 'seconds', 's', 'sec', 'secs') then 'second'
        when lower($1) in ('millisecond', 'milliseconds', 'ms', 'msec', 'msecs', 'msecond', 'mseconds', 'millisec', 'millisecs', 'millisecon') then 'millisecond'
        when lower($1) in ('microsecond', 'microseconds', 'microsec', 'microsecs', 'microsecond', 'usecond', 'useconds', 'us', 'usec', 'usecs') then 'microsecond'
        else redshift_internal.no_such_unit($1) end;
end $$;
create or replace function redshift_internal.no_such_unit(text) returns text language plpgsql immutable as $$
begin
    raise exception 'the local Redshift does not imitate the date part %', $1 using errcode = '0A000';
end $$;

create or replace function pg_catalog.dateadd(text, bigint, timestamp) returns timestamp language plpgsql immutable strict as $$
declare
    unit text := redshift_internal.date_unit($1);
begin
    return case unit
        when 'millennium' then $3 + make_interval(years => 1000 * $2::integer)
        when 'century' then $3 + make_interval(years => 100 * $2::integer)
        when 'decade' then $3 + make_interval(years => 10 * $2::integer)
        when 'quarter' then $3 + make_interval(months => 3 * $2::integer)
        when 'year' then $3 + make_interval(years => $2::integer)
        when 'month' then $3 + make_interval(months => $2::integer)
        when 'week' then $3 + make_interval(weeks => $2::integer)
        when 'day' then $3 + make_interval(days => $2::integer)
        when 'hour' then $3 + $2 * interval '1 hour'
        when 'minute' then $3 + $2 * interval '1 minute'
        when 'second' then $3 + $2 * interval '1 second'
        when 'millisecond' then $3 + $2 * interval '1 millisecond'
        else $3 + $2 * interval '1 microsecond' end;
end $$;
create or replace function pg_catalog.dateadd(text, bigint, date) returns timestamp language sql immutable strict
    as $$ select dateadd($1, $2, $3::timestamp) $$;
create or replace function pg_catalog.dateadd(text, bigint, timestamptz) returns timestamptz language sql immutable strict
    as $$ select dateadd($1, $2, $3 at time zone 'UTC') at time zone 'UTC' $$;

create or replace function pg_catalog.datediff(text, timestamp, timestamp) returns bigint language plpgsql immutable strict as $$
declare
    unit text := redshift_internal.date_unit($1);
    months bigint := (extract(year from $3) - extract(year from $2)) * 12 + extract(month from $3) - extract(month from $2);
begin
    return case unit
        when 'millennium' then extract(millennium from $3) - extract(millennium from $2)
        when 'century' then extract(century from $3) - extract(century from $2)
        when 'decade' then extract(decade from $3) - extract(decade from $2)
        when 'year' then extract(year from $3) - extract(year from $2)
        when 'quarter' then (extract(year from $3) - extract(year from $2)) * 4 + extract(quarter from $3) - extract(quarter from $2)
        when 'month' then months
        when 'week' then ((date_trunc('week', $3 + interval '1 day')::date - date_trunc('week', $2 + interval '1 day')::date)) / 7
        when 'day' then $3::date - $2::date
        when 'hour' then floor(extract(epoch from $3) / 3600) - floor(extract(epoch from $2) / 3600)
        when 'minute' then floor(extract(epoch from $3) / 60) - floor(extract(epoch from $2) / 60)
        when 'second' then floor(extract(epoch from $3)) - floor(extract(epoch from $2))
        when 'millisecond' then floor(extract(epoch from $3) * 1000) - floor(extract(epoch from $2) * 1000)
        else floor(extract(epoch from $3) * 1000000) - floor(extract(epoch from $2) * 1000000) end;
end $$;
create or replace function pg_catalog.datediff(text, timestamptz, timestamptz) returns bigint language sql immutable strict
    as $$ select datediff($1, $2 at time zone 'UTC', $3 at time zone 'UTC') $$;
create or replace function pg_catalog.date_diff(text, timestamp, timestamp) returns bigint language sql immutable strict
    as $$ select datediff($1, $2, $3) $$;

create or replace function pg_catalog.add_months(timestamp, integer) returns timestamp language sql immutable strict
    as $$ select case when $1::date = (date_trunc('month', $1) + interval '1 month - 1 day')::date
                      then date_trunc('month', $1) + make_interval(months => $2 + 1) - interval '1 day' + ($1 - date_trunc('day', $1))
                      else $1 + make_interval(months => $2) end $$;
create or replace function pg_catalog.last_day(timestamp) returns date language sql immutable strict
    as $$ select (date_trunc('month', $1) + interval '1 month - 1 day')::date $$;
create or replace function pg_catalog.date_add(text, bigint, timestamp) returns timestamp language sql immutable strict
    as $$ select dateadd($1, $2, $3) $$;
create or replace function pg_catalog.date_trunc(text, date) returns timestamp language sql immutable strict
    as $$ select date_trunc($1, $2::timestamp) $$;
create or replace function pg_catalog.pgdate_part(text, timestamp) returns double precision language sql immutable strict
    as $$ select date_part($1, $2) $$;
create or replace function pg_catalog.months_between(timestamp, timestamp) returns double precision language sql immutable strict as $$
    select (extract(year from $1) - extract(year from $2)) * 12 + extract(month from $1) - extract(month from $2)
           + case when extract(day from $1) = extract(day from $2) or ($1::date = last_day($1) and $2::date = last_day($2)) then 0
             else (extract(day from $1) - extract(day from $2)
                   + (extract(epoch from $1::time) - extract(epoch from $2::time)) / 86400) / 31 end
$$;
create or replace function pg_catalog.next_day(timestamp, text) returns date language plpgsql immutable strict as $$
declare
    wanted integer := array_position(array['su', 'mo', 'tu', 'we', 'th', 'fr', 'sa'], lower(left(trim($2), 2))) - 1;
begin
    if wanted is null then
        raise exception 'invalid day of the week' using errcode = '22023';
    end if;
    return $1::date + (wanted - extract(dow from $1)::integer + 6) % 7 + 1;
end $$;
-- A day beyond the end of its month runs over into the next one, unless the third argument asks for strictness.
create or replace function redshift_internal.strict_to_date(text, text) returns date language internal stable strict as 'to_date';
create or replace function pg_catalog.to_date(text, text, boolean) returns date language plpgsql stable strict as $$
declare
    digits text := regexp_replace($1, '[^0-9]', '', 'g');
begin
    return redshift_internal.strict_to_date($1, $2);
exception when datetime_field_overflow then
    if not $3 and upper($2) in ('YYYYMMDD', 'YYYY-MM-DD', 'YYYY/MM/DD')
       and digits ~ '^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$' then
        return redshift_internal.strict_to_date(left(digits, 6) || '01', 'YYYYMMDD') + right(digits, 2)::integer - 1;
    end if;
    raise;
end $$;
create or replace function pg_catalog.to_date(text, text) returns date language sql stable strict
    as $$ select to_date($1, $2, false) $$;
create or replace function pg_catalog.trunc(timestamp) returns date language sql immutable strict
    as $$ select $1::date $$;
create or replace function pg_catalog.date_part_year(date) returns integer language sql immutable strict
    as $$ select extract(year from $1)::integer $$;
create or replace function pg_catalog.convert_timezone(text, timestamp) returns timestamp language sql immutable strict
    as $$ select $2 at time zone 'UTC' at time zone $1 $$;
create or replace function pg_catalog.convert_timezone(text, text, timestamp) returns timestamp language sql immutable strict
    as $$ select $3 at time zone $1 at time zone $2 $$;

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
