-- MEDIAN and PERCENTILE_CONT: a DECIMAL for integers and decimals, else the type of what is sorted ("PERCENTILE_CONT
-- function"). PostgreSQL's own gives DOUBLE PRECISION, which loses digits, and takes no dates. Interpolated as that page
-- says. How many digits the DECIMAL has after its point it does not say: here as many as the value needs, and no fewer
-- than the values sorted. Between two dates the fraction of a day is cut off.
do $$
declare
    kind text;
    argument text;
    state text;
    between text;
begin
    foreach kind in array array['numeric', 'double precision', 'date', 'timestamp', 'timestamptz'] loop
        between := case kind
            when 'numeric' then 'redshift_internal.interpolated(low, high, place - floor(place))'
            when 'double precision' then 'low + (place - floor(place))::double precision * (high - low)'
            when 'date' then 'low + floor((high - low) * (place - floor(place)))::integer'
            else 'low + (high - low) * (place - floor(place))::double precision' end;
        execute format('create or replace function redshift_internal.percentile_of(points %1$s[], fraction double precision) returns %1$s
            language plpgsql immutable as $f$
            declare
                sorted %1$s[] := (select array_agg(v order by v) from unnest(points) v);
                place numeric := 1 + fraction::numeric * (cardinality(sorted) - 1);
                low %1$s := sorted[floor(place)::integer];
                high %1$s := sorted[ceil(place)::integer];
            begin
                if fraction < 0 or fraction > 1 then
                    raise exception ''percentile must be between 0 and 1'' using errcode = ''22003'';
                end if;
                return case when low = high then low else %2$s end;
            end $f$', kind, between);
        -- With OVER it is an aggregate, which PostgreSQL computes once for a partition.
        state := 'redshift_internal.percentile_' || replace(kind, ' ', '_');
        if to_regtype(state) is null then
            execute format('create type %s as (fraction double precision, points %s[])', state, kind);
        end if;
        execute format('create or replace function redshift_internal.percentile_end(state %s) returns %s language sql immutable
            as ''select redshift_internal.percentile_of((state).points, (state).fraction)''', state, kind);
        foreach argument in array case kind when 'numeric' then array['smallint', 'integer', 'bigint', kind]
                                            when 'double precision' then array['real', kind] else array[kind] end loop
            if argument <> kind then
                execute format('create or replace function redshift_internal.percentile_of(%s[], double precision) returns %s
                    language sql immutable as ''select redshift_internal.percentile_of($1::%2$s[], $2)''', argument, kind);
            end if;
            execute format('create or replace function redshift_internal.percentile_step(state %1$s, %2$s, double precision) returns %1$s
                language sql immutable as ''select case when $2 is null then $1 else row($3, array_append(($1).points, $2::%3$s))::%1$s end''',
                state, argument, kind);
            execute format('create or replace aggregate redshift_internal.percentile(%2$s, double precision) (
                sfunc = redshift_internal.percentile_step, stype = %1$s, finalfunc = redshift_internal.percentile_end)', state, argument);
        end loop;
    end loop;
end $$;

create or replace function redshift_internal.interpolated(low numeric, high numeric, share numeric) returns numeric language sql immutable as $$
    select trunc(x, greatest(0, least(greatest(scale(low), scale(high), scale(trim_scale(x))), 38 - length(trunc(abs(x))::text))))
    from (select low + share * (high - low) as x) as found $$;
