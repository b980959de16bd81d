-- Aggregates that Redshift has or means otherwise. expressions.py sends AVG, and the ordered ones with OVER, here:
-- PostgreSQL has no WITHIN GROUP (…) OVER (…).

-- AVG of a DECIMAL keeps its scale; what lies beyond is cut off.
create or replace function redshift_internal.avg_step(numeric[], numeric) returns numeric[] language sql immutable
    as $$ select case when $2 is null then $1 else array[$1[1] + $2, $1[2] + 1] end $$;
create or replace function redshift_internal.avg_decimal(numeric[]) returns numeric language sql immutable
    as $$ select trunc($1[1] / nullif($1[2], 0), scale($1[1])) $$;
create or replace aggregate redshift_internal.avg(numeric) (
    sfunc = redshift_internal.avg_step, stype = numeric[], finalfunc = redshift_internal.avg_decimal, initcond = '{0,0}');

-- LISTAGG leaves empty strings out, not such as have blanks only.
create or replace function redshift_internal.filled(varchar) returns varchar language sql immutable strict
    as $$ select case when octet_length($1) > 0 then $1 end $$;

-- What was put together must fit into a VARCHAR.
create or replace function redshift_internal.listagg(text) returns varchar language plpgsql immutable strict as $$
begin
    if octet_length($1) > 65535 then
        raise exception 'Result size exceeds LISTAGG limit' using errcode = '22001';
    end if;
    return $1;
end $$;

-- LISTAGG … OVER: first the options, then rows of [sort key, value], sorted at the end.
create or replace function redshift_internal.listagg_step(jsonb[], text, text, boolean, boolean, jsonb) returns jsonb[]
language sql immutable as $$
    select case when $2 is null then coalesce($1, array[jsonb_build_object('d', $3, 'desc', $4, 'distinct', $5)])
           else coalesce($1, array[jsonb_build_object('d', $3, 'desc', $4, 'distinct', $5)])
                || jsonb_build_array($6, $2) end
$$;
create or replace function redshift_internal.listagg_end(jsonb[]) returns varchar language plpgsql immutable as $$
declare
    is_distinct boolean := ($1[1] ->> 'distinct')::boolean;
    delimiter text := $1[1] ->> 'd';
begin
    -- A SUPER that is no string comes as its stored form (types.sql), which does not sort as it should.
    if exists (select from unnest($1[2:]) as u(r) where strpos((r -> 0)::text, '"' || chr(92) || 'u0001') > 0) then
        raise exception 'the local Redshift does not imitate LISTAGG … OVER ordered by SUPER (docs/reference/local-redshift.md)'
            using errcode = '0A000';
    end if;
    return redshift_internal.listagg((select case when ($1[1] ->> 'desc')::boolean
                then string_agg(value, delimiter order by key desc, n)
                else string_agg(value, delimiter order by key, n) end
            from (select r -> 0 as key, r ->> 1 as value, n,
                         row_number() over (partition by r ->> 1 order by n) as nth
                  from unnest($1[2:]) with ordinality as u(r, n)) rows
            where nth = 1 or not is_distinct));
end $$;
create or replace aggregate redshift_internal.listagg(text, text, boolean, boolean, jsonb) (
    sfunc = redshift_internal.listagg_step, stype = jsonb[], finalfunc = redshift_internal.listagg_end);

-- PERCENTILE_DISC … OVER. The first element of the state is the fraction.
do $$
declare
    kind text;
begin
    foreach kind in array array['numeric', 'double precision'] loop
        execute format('create or replace function redshift_internal.percentile_step(%1$s[], %1$s, double precision) returns %1$s[]
            language sql immutable as ''select case when $2 is null then $1 else
                coalesce($1, array[$3::%1$s]) || $2 end''', kind);
        execute format('create or replace function redshift_internal.percentile_disc_end(%1$s[]) returns %1$s language sql immutable
            as ''select percentile_disc($1[1]::double precision) within group (order by v) from unnest($1[2:]) v''', kind);
        execute format('create or replace aggregate redshift_internal.percentile_disc(%1$s, double precision) (
            sfunc = redshift_internal.percentile_step, stype = %1$s[], finalfunc = redshift_internal.percentile_disc_end)', kind);
    end loop;
end $$;

-- FIRST_VALUE and LAST_VALUE with IGNORE NULLS: a strict step never sees a NULL, and the window is read in its order.
create or replace function redshift_internal.second_of(anyelement, anyelement) returns anyelement language sql immutable strict
    as $$ select $2 $$;
create or replace aggregate redshift_internal.first_value(anyelement) (sfunc = redshift_internal.first_of, stype = anyelement);
create or replace aggregate redshift_internal.last_value(anyelement) (sfunc = redshift_internal.second_of, stype = anyelement);

-- SUM of BIGINT is a BIGINT, so that a quotient of it is cut to an integer; PostgreSQL's is a NUMERIC.
-- Deviations, variances, roots and logarithms are always DOUBLE PRECISION; PostgreSQL has them for NUMERIC too. Its own
-- are called something else here, so that nobody finds them by name.
do $$
declare
    exact regtype[] := array['smallint', 'integer', 'bigint', 'numeric']::regtype[];
begin
    update pg_catalog.pg_proc set proname = 'postgres_' || proname
    where pronamespace = 'pg_catalog'::regnamespace and pronargs = 1 and proargtypes[0] = any (exact)
    and proname in ('stddev', 'stddev_samp', 'stddev_pop', 'variance', 'var_samp', 'var_pop', 'sqrt', 'exp', 'ln', 'log', 'log10');
    update pg_catalog.pg_proc set proname = 'postgres_' || proname
    where pronamespace = 'pg_catalog'::regnamespace and pronargs = 2 and proname in ('power', 'pow')
    and proargtypes[0] = 'numeric'::regtype;
    update pg_catalog.pg_proc set proname = 'postgres_sum'
    where pronamespace = 'pg_catalog'::regnamespace and proname = 'sum' and proargtypes[0] = 'bigint'::regtype
    and prorettype = 'numeric'::regtype;
end $$;
create or replace aggregate pg_catalog.sum(bigint) (
    sfunc = int8pl, stype = bigint, combinefunc = int8pl, msfunc = int8pl, minvfunc = int8mi, mstype = bigint, parallel = safe);

-- LAG, LEAD and NTH_VALUE with IGNORE NULLS. The state has as many places as the offset says, NULL at first, and values
-- move in from the end. LAG wants the oldest of the last so many; the other two the last of the first so many.
create or replace function redshift_internal.move_in(places anyarray, value anyelement, how_many integer) returns anyarray
language plpgsql immutable as $$
begin
    if how_many is null or how_many < 1 then
        raise exception 'the local Redshift does not imitate IGNORE NULLS with an offset below 1' using errcode = '0A000';
    end if;
    places := coalesce(places, array_fill(nullif(value, value), array[how_many]));
    return case when value is null then places else places[2:] || value end;
end $$;
create or replace function redshift_internal.move_in_first(places anyarray, value anyelement, how_many integer) returns anyarray
language sql immutable as $$
    select case when $1[1] is null then redshift_internal.move_in($1, $2, $3) else $1 end
$$;
create or replace function redshift_internal.oldest(anyarray) returns anyelement language sql immutable as 'select $1[1]';
create or replace function redshift_internal.newest_of_all(anyarray) returns anyelement language sql immutable
    as 'select case when $1[1] is not null then $1[array_upper($1, 1)] end';
create or replace aggregate redshift_internal.lag(anyelement, integer) (
    sfunc = redshift_internal.move_in, stype = anyarray, finalfunc = redshift_internal.oldest);
create or replace aggregate redshift_internal.lead(anyelement, integer) (
    sfunc = redshift_internal.move_in_first, stype = anyarray, finalfunc = redshift_internal.newest_of_all);
create or replace aggregate redshift_internal.nth_value(anyelement, integer) (
    sfunc = redshift_internal.move_in_first, stype = anyarray, finalfunc = redshift_internal.newest_of_all);
