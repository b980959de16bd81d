-- SUPER in expressions: its order, comparison, arithmetic and text operators, by the type that each value has.

-- The order of ORDER BY and GROUP BY: boolean, number, string, array, object; null last.
create or replace function redshift_internal.super_order(super, super) returns integer language plpgsql immutable strict as $$
declare
    kinds constant text[] := array['boolean', 'number', 'string', 'array', 'object', 'null'];
    kind constant text := redshift_internal.kind($1);
    other constant text := redshift_internal.kind($2);
    a text;
    b text;
begin
    if kind <> other then
        return sign(array_position(kinds, kind) - array_position(kinds, other));
    elsif kind = 'string' then
        a := redshift_internal.scalar($1);
        b := redshift_internal.scalar($2);
        return case when a < b then -1 when a > b then 1 else 0 end;
    end if;
    return case when redshift_internal.json($1)::jsonb < redshift_internal.json($2)::jsonb then -1
                when redshift_internal.json($1)::jsonb > redshift_internal.json($2)::jsonb then 1 else 0 end;
end $$;

-- Comparison in expressions: values of different types are not equal, and neither below nor above each other (NULL).
create or replace function redshift_internal.super_compares(super, super) returns boolean language sql immutable strict
    as $$ select redshift_internal.kind($1) = redshift_internal.kind($2) and redshift_internal.kind($1) in ('string', 'number', 'boolean') $$;

-- Arithmetic: numbers give a number, with + strings give a string, all else is NULL. Numbers of scale 0 are integers,
-- whatever they were declared as. A decimal quotient's scale is that of DECIMAL, of the digits that are there; whether
-- Redshift rounds or cuts a longer one was not found, so that is an error.
create or replace function redshift_internal.super_calculate(super, super, operator text) returns super language plpgsql immutable strict as $$
declare
    a text := redshift_internal.scalar($1);
    b text := redshift_internal.scalar($2);
    result numeric;
    digits integer;
begin
    if operator = '+' and redshift_internal.kind($1) = 'string' and redshift_internal.kind($2) = 'string' then
        return (a || b)::super;
    elsif redshift_internal.kind($1) <> 'number' or redshift_internal.kind($2) <> 'number' then
        return null;
    elsif strpos(lower(a || b), 'e') > 0 then
        return case operator when '+' then (a::float8 + b::float8)::super when '-' then (a::float8 - b::float8)::super
                    when '*' then (a::float8 * b::float8)::super when '/' then (a::float8 / b::float8)::super
                    else (a::float8::numeric % b::float8::numeric)::float8::super end;
    elsif operator = '/' and strpos(a || b, '.') > 0 then
        digits := greatest(4, scale(a::numeric) + length(translate(b, '-.', '')) - scale(b::numeric) + 1);
        result := round(a::numeric / b::numeric, digits);
        if result * b::numeric <> a::numeric then
            raise exception 'the local Redshift does not imitate a quotient of SUPER decimals that does not end: cast them (docs/reference/local-redshift.md)'
                using errcode = '0A000';
        end if;
        return result::super;
    end if;
    result := case operator when '+' then a::numeric + b::numeric when '-' then a::numeric - b::numeric
                   when '*' then a::numeric * b::numeric when '/' then div(a::numeric, b::numeric) else mod(a::numeric, b::numeric) end;
    if length(ltrim(replace(abs(result)::text, '.', ''), '0')) > 38 then
        raise exception 'Numeric data overflow (result precision)' using errcode = '22003';
    end if;
    return result::super;
end $$;
-- FLOOR, CEIL, ROUND and TRUNC of a number have no scale, ABS keeps it; of anything else they are NULL.
create or replace function redshift_internal.super_rounded(super, how text) returns super language plpgsql immutable strict as $$
declare
    value numeric;
begin
    if redshift_internal.kind($1) <> 'number' then
        return null;
    end if;
    value := redshift_internal.scalar($1)::numeric;
    value := case how when 'floor' then floor(value) when 'ceil' then ceil(value) when 'round' then round(value)
                      when 'trunc' then trunc(value) else abs(value) end;
    return case when strpos(lower(redshift_internal.scalar($1)), 'e') > 0 then value::float8::super else value::super end;
end $$;
do $$
declare
    name text;
begin
    foreach name in array array['floor', 'ceil', 'ceiling', 'round', 'trunc', 'abs'] loop
        execute format('create or replace function pg_catalog.%s(super) returns super language sql immutable strict as %L', name,
                       format('select redshift_internal.super_rounded($1, %L)', replace(name, 'ceiling', 'ceil')));
    end loop;
end $$;
create or replace function redshift_internal.super_plus(super) returns super language sql immutable strict
    as $$ select case when redshift_internal.kind($1) = 'number' then $1 end $$;
create or replace function redshift_internal.super_minus(super) returns super language sql immutable strict
    as $$ select redshift_internal.super_calculate(0::super, $1, '-') $$;
create or replace function redshift_internal.super_joined(super, super) returns super language sql immutable strict
    as $$ select case when redshift_internal.kind($1) = 'string' and redshift_internal.kind($2) = 'string'
                 then (redshift_internal.scalar($1) || redshift_internal.scalar($2))::super end $$;
create or replace function redshift_internal.super_like(super, super) returns boolean language sql immutable strict
    as $$ select case when redshift_internal.super_compares($1, $2) and redshift_internal.kind($1) = 'string'
                 then redshift_internal.scalar($1) like redshift_internal.scalar($2) end $$;
create or replace function redshift_internal.super_ilike(super, super) returns boolean language sql immutable strict
    as $$ select case when redshift_internal.super_compares($1, $2) and redshift_internal.kind($1) = 'string'
                 then redshift_internal.scalar($1) ilike redshift_internal.scalar($2) end $$;

-- The operators, with a scalar on either side. Not by implicit casts to SUPER: they would compare 1 with 'a' in silence.
-- And only with types that have the operator among themselves: else `varchar + 'x'` would find the one with SUPER.
do $$
declare
    op text[];
    sides text[];
    side text[];
    a text;
    b text;
    body text;
begin
    foreach op slice 1 in array array[
        ['=', 'eq', 'boolean', 'redshift_internal.super_order(%1$s, %2$s) = 0'],
        ['<>', 'ne', 'boolean', 'redshift_internal.super_order(%1$s, %2$s) <> 0'],
        ['<', 'lt', 'boolean', 'case when redshift_internal.super_compares(%1$s, %2$s) then redshift_internal.super_order(%1$s, %2$s) < 0 end'],
        ['<=', 'le', 'boolean', 'case when redshift_internal.super_compares(%1$s, %2$s) then redshift_internal.super_order(%1$s, %2$s) <= 0 end'],
        ['>', 'gt', 'boolean', 'case when redshift_internal.super_compares(%1$s, %2$s) then redshift_internal.super_order(%1$s, %2$s) > 0 end'],
        ['>=', 'ge', 'boolean', 'case when redshift_internal.super_compares(%1$s, %2$s) then redshift_internal.super_order(%1$s, %2$s) >= 0 end'],
        ['~~', 'like', 'boolean', 'redshift_internal.super_like(%1$s, %2$s)'],
        ['!~~', 'notlike', 'boolean', 'not redshift_internal.super_like(%1$s, %2$s)'],
        ['~~*', 'ilike', 'boolean', 'redshift_internal.super_ilike(%1$s, %2$s)'],
        ['!~~*', 'notilike', 'boolean', 'not redshift_internal.super_ilike(%1$s, %2$s)'],
        ['||', 'joined', 'super', 'redshift_internal.super_joined(%1$s, %2$s)'],
        ['+', 'plus', 'super', 'redshift_internal.super_calculate(%1$s, %2$s, ''+'')'],
        ['-', 'less', 'super', 'redshift_internal.super_calculate(%1$s, %2$s, ''-'')'],
        ['*', 'times', 'super', 'redshift_internal.super_calculate(%1$s, %2$s, ''*'')'],
        ['/', 'by', 'super', 'redshift_internal.super_calculate(%1$s, %2$s, ''/'')'],
        ['%', 'rest', 'super', 'redshift_internal.super_calculate(%1$s, %2$s, ''%%'')']
    ] loop
        with scalars(t) as (
            select unnest(case when op[1] in ('||', '~~', '!~~', '~~*', '!~~*') then array['text']
                               when op[1] = '%' then array['smallint', 'integer', 'bigint', 'numeric']
                               when op[3] = 'super' then array['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision']
                               else array['text', 'boolean', 'smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision'] end)
        )
        select array_agg(array['super', t]) || array_agg(array[t, 'super']) || array['super', 'super'] into sides from scalars;
        foreach side slice 1 in array sides loop
            a := side[1];
            b := side[2];
            body := 'select ' || format(op[4], case a when 'super' then '$1' else '$1::super' end, case b when 'super' then '$2' else '$2::super' end);
            execute format('create or replace function redshift_internal.op_super_%s(%s, %s) returns %s language sql immutable strict as %L',
                           op[2], a, b, op[3], body);
            if to_regoperator(format('pg_catalog.%s(%s, %s)', op[1], a, b)) is null then
                execute format('create operator pg_catalog.%s (leftarg = %s, rightarg = %s, function = redshift_internal.op_super_%s)',
                               op[1], a, b, op[2]);
            end if;
        end loop;
    end loop;
    if to_regoperator('pg_catalog.-(none, super)') is null then
        create operator pg_catalog.- (rightarg = super, function = redshift_internal.super_minus);
        create operator pg_catalog.+ (rightarg = super, function = redshift_internal.super_plus);
    end if;
    -- What sorts, groups and makes distinct: a total order, by operators that no expression meets.
    foreach op slice 1 in array array[['<', 'below'], ['<=', 'upto'], ['=', 'same'], ['>=', 'from'], ['>', 'above']] loop
        execute format('create or replace function redshift_internal.super_%s(super, super) returns boolean language sql immutable strict as %L',
                       op[2], format('select redshift_internal.super_order($1, $2) %s 0', op[1]));
        if to_regoperator(format('redshift_internal.%s(super, super)', op[1])) is null then
            execute format('create operator redshift_internal.%s (leftarg = super, rightarg = super, function = redshift_internal.super_%s)',
                           op[1], op[2]);
        end if;
    end loop;
    if not exists (select from pg_opclass where opcname = 'super_ops') then
        create operator class pg_catalog.super_ops default for type super using btree as
            operator 1 redshift_internal.<, operator 2 redshift_internal.<=, operator 3 redshift_internal.=,
            operator 4 redshift_internal.>=, operator 5 redshift_internal.>, function 1 redshift_internal.super_order(super, super);
    end if;
end $$;
