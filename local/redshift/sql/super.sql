-- SUPER: what paths find, lax casts, comparison with scalars, functions that make and test values.

-- A step into an object or an array; NULL where there is no such thing. A JSON null is NULL too.
create or replace function redshift_internal.step(jsonb, text) returns super language sql immutable strict
    as $$ select case when jsonb_typeof($1) = 'object' then nullif($1 -> $2, 'null'::jsonb) end::super $$;
create or replace function redshift_internal.step(jsonb, integer) returns super language sql immutable strict
    as $$ select case when jsonb_typeof($1) = 'array' and $2 >= 0 then nullif($1 -> $2, 'null'::jsonb) end::super $$;
create or replace function redshift_internal.elements(jsonb) returns table (value super, at bigint) language sql immutable strict
    as $$ select e.value::super, e.n - 1
          from jsonb_array_elements(case when jsonb_typeof($1) = 'array' then $1 else jsonb_build_array($1) end)
               with ordinality as e(value, n) $$;

create or replace function redshift_internal.items(jsonb) returns setof super language sql immutable strict
    as $$ select value from redshift_internal.elements($1) order by at $$;

-- A cast of a value of another kind is NULL, not an error.
do $$
declare
    kind text;
begin
    foreach kind in array array['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision'] loop
        execute format('create or replace function redshift_internal.super_to_%2$s(jsonb) returns %1$s language sql immutable strict
            as ''select case when jsonb_typeof($1) = ''''number'''' then ($1 #>> ''''{}'''')::numeric::%1$s end''', kind, replace(kind, ' ', '_'));
        execute format('update pg_catalog.pg_cast set castfunc = ''redshift_internal.super_to_%2$s(jsonb)''::regprocedure
            where castsource = ''jsonb''::regtype and casttarget = %1$L::regtype', kind, replace(kind, ' ', '_'));
    end loop;
end $$;
create or replace function redshift_internal.super_to_boolean(jsonb) returns boolean language sql immutable strict
    as $$ select case when jsonb_typeof($1) = 'boolean' then ($1 #>> '{}')::boolean end $$;
update pg_catalog.pg_cast set castfunc = 'redshift_internal.super_to_boolean(jsonb)'::regprocedure
where castsource = 'jsonb'::regtype and casttarget = 'boolean'::regtype;

-- Comparison with a scalar: a value of another kind is not equal, and neither below nor above (NULL).
do $$
declare
    kind text[];
    op text[];
    body text;
begin
    foreach kind slice 1 in array array[['text', 'string', ''], ['numeric', 'number', '::numeric'], ['boolean', 'boolean', '::boolean']] loop
        foreach op slice 1 in array array[['=', 'eq', 'false'], ['<>', 'ne', 'true'], ['<', 'lt', 'null'], ['<=', 'le', 'null'],
                                          ['>', 'gt', 'null'], ['>=', 'ge', 'null']] loop
            body := format('select case when jsonb_typeof($1) = %L then ($1 #>> %L)%s %s $2 else %s end', kind[2], '{}', kind[3], op[1], op[3]);
            execute format('create or replace function redshift_internal.super_%s(jsonb, %s) returns boolean language sql immutable strict as %L',
                           op[2], kind[1], body);
            if to_regoperator(format('pg_catalog.%s(jsonb, %s)', op[1], kind[1])) is null then
                execute format('create operator pg_catalog.%s (leftarg = jsonb, rightarg = %s, function = redshift_internal.super_%s)',
                               op[1], kind[1], op[2]);
            end if;
        end loop;
    end loop;
end $$;

-- A scalar becomes SUPER when it is assigned. A string stays a string: JSON_PARSE is what reads it.
do $$
declare
    kind text;
begin
    foreach kind in array array['text', 'varchar', 'bpchar', 'numeric', 'smallint', 'integer', 'bigint', 'real', 'double precision', 'boolean'] loop
        execute format('create or replace function redshift_internal.cast_to_super(%s) returns jsonb language sql immutable strict as %L',
                       kind, 'select to_jsonb($1)');
        if not exists (select 1 from pg_cast where castsource = kind::regtype and casttarget = 'jsonb'::regtype) then
            execute format('create cast (%1$s as jsonb) with function redshift_internal.cast_to_super(%1$s) as assignment', kind);
        end if;
    end loop;
end $$;

-- Arrays and objects.
create or replace function pg_catalog.array_concat(jsonb, jsonb) returns super language sql immutable strict
    as $$ select ($1 || $2)::super $$;
create or replace function pg_catalog.subarray(jsonb, integer, integer) returns super language sql immutable strict
    as $$ select coalesce(jsonb_agg(value order by n), '[]')::super from jsonb_array_elements($1) with ordinality as e(value, n)
          where n > $2 and n <= $2 + $3 $$;
create or replace function pg_catalog.array_flatten(jsonb) returns super language sql immutable strict
    as $$ select coalesce(jsonb_agg(i.value order by o.n, i.n), '[]')::super
          from jsonb_array_elements($1) with ordinality as o(value, n),
               jsonb_array_elements(case when jsonb_typeof(o.value) = 'array' then o.value else jsonb_build_array(o.value) end)
               with ordinality as i(value, n) $$;
create or replace function pg_catalog.split_to_array(text, text default ',') returns super language sql immutable strict
    as $$ select to_jsonb(string_to_array($1, $2))::super $$;

-- What kind of value it is.
create or replace function pg_catalog.is_varchar(jsonb) returns boolean language sql immutable
    as $$ select coalesce(jsonb_typeof($1) = 'string', false) $$;
create or replace function pg_catalog.is_boolean(jsonb) returns boolean language sql immutable
    as $$ select coalesce(jsonb_typeof($1) = 'boolean', false) $$;
create or replace function pg_catalog.is_decimal(jsonb) returns boolean language sql immutable
    as $$ select coalesce(jsonb_typeof($1) = 'number', false) $$;
create or replace function pg_catalog.is_scalar(jsonb) returns boolean language sql immutable
    as $$ select coalesce(jsonb_typeof($1) in ('string', 'number', 'boolean'), false) $$;
create or replace function redshift_internal.whole_between(jsonb, numeric, numeric) returns boolean language sql immutable
    as $$ select coalesce(case when jsonb_typeof($1) = 'number'
                 then ($1 #>> '{}')::numeric between $2 and $3 and scale(($1 #>> '{}')::numeric) = 0 end, false) $$;
create or replace function pg_catalog.is_smallint(jsonb) returns boolean language sql immutable
    as $$ select redshift_internal.whole_between($1, -32768, 32767) $$;
create or replace function pg_catalog.is_integer(jsonb) returns boolean language sql immutable
    as $$ select redshift_internal.whole_between($1, -2147483648, 2147483647) $$;
create or replace function pg_catalog.is_bigint(jsonb) returns boolean language sql immutable
    as $$ select redshift_internal.whole_between($1, -9223372036854775808, 9223372036854775807) $$;

-- JSON in strings, with the argument that makes what cannot be read NULL.
create or replace function pg_catalog.json_array_length(text, boolean) returns integer language sql immutable strict
    as $$ select case when not $2 or can_json_parse($1) then json_array_length($1) end $$;
create or replace function pg_catalog.json_extract_array_element_text(text, integer, boolean) returns varchar language sql immutable strict
    as $$ select case when not $3 or can_json_parse($1) then json_extract_array_element_text($1, $2) end $$;
create or replace function pg_catalog.is_valid_json_array(text) returns boolean language sql immutable strict
    as $$ select case when can_json_parse($1) then jsonb_typeof(redshift_internal.read_json($1)) = 'array' else false end $$;
