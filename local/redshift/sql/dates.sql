-- Redshift's functions of dates and times, under their own names.
-- DATEDIFF counts boundaries that were crossed, not whole units that have passed.
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

create or replace function pg_catalog.dateadd(text, bigint, time) returns time language sql immutable strict
    as $$ select dateadd($1, $2, '1970-01-01'::date + $3)::time $$;

create or replace function redshift_internal.boundaries(text, timestamp, timestamp) returns bigint language plpgsql immutable strict as $$
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
-- Not strict, so that PostgreSQL puts it into the query: a constant unit leaves one branch, and microseconds are asked of
-- every moment that load brings.
create or replace function pg_catalog.datediff(text, timestamp, timestamp) returns bigint language sql immutable
    as $$ select case when lower($1) in ('microsecond', 'microseconds', 'us') then (extract(epoch from $3 - $2) * 1000000)::bigint
                      else redshift_internal.boundaries($1, $2, $3) end $$;
create or replace function pg_catalog.datediff(text, timestamptz, timestamptz) returns bigint language sql immutable strict
    as $$ select datediff($1, $2 at time zone 'UTC', $3 at time zone 'UTC') $$;
-- Times are moments of one day, in UTC.
create or replace function pg_catalog.datediff(text, time, time) returns bigint language sql immutable strict
    as $$ select datediff($1, '1970-01-01'::date + $2, '1970-01-01'::date + $3) $$;
create or replace function pg_catalog.datediff(text, timetz, timetz) returns bigint language sql immutable strict
    as $$ select datediff($1, ($2 at time zone 'UTC')::time, ($3 at time zone 'UTC')::time) $$;
create or replace function pg_catalog.date_diff(text, timestamp, timestamp) returns bigint language sql immutable strict
    as $$ select datediff($1, $2, $3) $$;

create or replace function pg_catalog.add_months(timestamp, integer) returns timestamp language sql immutable strict
    as $$ select case when $1::date = (date_trunc('month', $1) + interval '1 month - 1 day')::date
                      then date_trunc('month', $1) + make_interval(months => $2 + 1) - interval '1 day' + ($1 - date_trunc('day', $1))
                      else $1 + make_interval(months => $2) end $$;
create or replace function pg_catalog.last_day(timestamp) returns date language sql immutable strict
    as $$ select (date_trunc('month', $1) + interval '1 month - 1 day')::date $$;
create or replace function pg_catalog.last_day(timestamptz) returns date language sql stable strict
    as $$ select last_day($1::timestamp) $$;
create or replace function pg_catalog.date_add(text, bigint, timestamp) returns timestamp language sql immutable strict
    as $$ select dateadd($1, $2, $3) $$;
create or replace function pg_catalog.date_trunc(text, date) returns timestamp language sql immutable strict
    as $$ select date_trunc($1, $2::timestamp) $$;
create or replace function pg_catalog.pgdate_part(text, timestamp) returns double precision language sql immutable strict
    as $$ select date_part($1, $2) $$;
-- The decade 1 has nine years, 1 to 9; forms.py sends EXTRACT and DATE_PART of a decade here.
create or replace function redshift_internal.decade(timestamp) returns integer language sql immutable strict
    as $$ select extract(decade from $1)::integer + 1 $$;
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

-- TO_CHAR of a number: PostgreSQL takes the currency sign, L, from a locale, and the server's has none. How a definition
-- gets into the place of PostgreSQL's own: strings.sql.
create or replace function redshift_internal.plain_to_char(numeric, text) returns text language internal stable strict
    as 'numeric_to_char';
create or replace function redshift_internal.to_char(numeric, text) returns text language plpgsql stable strict as $$
declare
    written text := redshift_internal.plain_to_char($1, $2);
    bare text := lower(regexp_replace($2, '"[^"]*"', '', 'g'));
begin
    if strpos(bare, 'l') = 0 then
        return written;
    elsif substr(bare, 1, 1) = 'l' and strpos(substr(bare, 2), 'l') = 0 then
        return '$' || substr(written, 2);
    end if;
    raise exception 'the local Redshift does not imitate TO_CHAR with an L that is not the first character' using errcode = '0A000';
end $$;
do $$
declare
    kind text;
begin
    foreach kind in array array['integer', 'bigint', 'real', 'double precision', 'numeric'] loop
        execute format('create or replace function pg_catalog.to_char(%s, text) returns text language sql stable as %L',
                       kind, 'select redshift_internal.to_char($1::numeric, $2)');
    end loop;
end $$;

-- TO_TIMESTAMP lets a value that is out of range run over into the next unit, unless it is strict.
create or replace function redshift_internal.to_timestamp(text, text, boolean) returns timestamptz language plpgsql stable strict as $$
begin
    return to_timestamp($1, $2);
exception when datetime_field_overflow then
    if $3 then
        raise;
    end if;
    raise exception 'the local Redshift does not imitate TO_TIMESTAMP of a value that is out of range' using errcode = '0A000';
end $$;
