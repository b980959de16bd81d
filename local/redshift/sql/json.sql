-- Functions that make, test and take apart SUPER, and those that read JSON in strings.
create or replace function pg_catalog.json_parse(text) returns super language sql immutable strict
    as $$ select redshift_internal.read_json($1) $$;
create or replace function pg_catalog.json_parse(bytea) returns super language sql immutable strict
    as $$ select redshift_internal.read_json(convert_from($1, 'UTF8')) $$;
create or replace function pg_catalog.can_json_parse(text) returns boolean language plpgsql immutable strict as $$
begin
    perform redshift_internal.read_json($1);
    return true;
exception when others then
    return false;
end $$;
create or replace function redshift_internal.super_text(super) returns text language sql immutable strict
    as $$ select redshift_internal.json($1)::text $$;
create or replace function pg_catalog.json_serialize(super) returns varchar language plpgsql immutable strict as $$
declare
    found constant text := redshift_internal.super_text($1);
begin
    if octet_length(found) > 65535 then
        raise exception 'value too long for type character varying(65535)' using errcode = '22001';
    end if;
    return found;
end $$;
create or replace function pg_catalog.json_serialize_to_varbyte(super) returns varbyte language sql immutable strict
    as $$ select convert_to(redshift_internal.super_text($1), 'UTF8')::varbyte $$;
create or replace function pg_catalog.json_size(super) returns integer language sql immutable strict
    as $$ select octet_length(redshift_internal.super_text($1)) $$;

-- What kind of value it is.
create or replace function pg_catalog.json_typeof(super) returns varchar language sql immutable strict
    as $$ select redshift_internal.kind($1)::varchar $$;
create or replace function redshift_internal.is_kind(super, text) returns boolean language sql immutable
    as $$ select coalesce(redshift_internal.kind($1) = $2, false) $$;
create or replace function pg_catalog.is_array(super) returns boolean language sql immutable as $$ select redshift_internal.is_kind($1, 'array') $$;
create or replace function pg_catalog.is_object(super) returns boolean language sql immutable as $$ select redshift_internal.is_kind($1, 'object') $$;
create or replace function pg_catalog.is_varchar(super) returns boolean language sql immutable as $$ select redshift_internal.is_kind($1, 'string') $$;
create or replace function pg_catalog.is_boolean(super) returns boolean language sql immutable as $$ select redshift_internal.is_kind($1, 'boolean') $$;
create or replace function pg_catalog.is_char(super) returns boolean language sql immutable
    as $$ select redshift_internal.is_kind($1, 'string') and octet_length(redshift_internal.scalar($1)) = length(redshift_internal.scalar($1)) $$;
create or replace function pg_catalog.is_scalar(super) returns boolean language sql immutable
    as $$ select coalesce(redshift_internal.kind($1) in ('string', 'number', 'boolean'), false) $$;
create or replace function pg_catalog.is_float(super) returns boolean language sql immutable
    as $$ select redshift_internal.is_kind($1, 'number') and strpos(lower(redshift_internal.scalar($1)), 'e') > 0 $$;
create or replace function pg_catalog.is_decimal(super) returns boolean language sql immutable
    as $$ select redshift_internal.is_kind($1, 'number') and strpos(lower(redshift_internal.scalar($1)), 'e') = 0 $$;
create or replace function redshift_internal.whole_between(super, numeric, numeric) returns boolean language sql immutable
    as $$ select case when is_decimal($1) and strpos(redshift_internal.scalar($1), '.') = 0
                 then redshift_internal.scalar($1)::numeric between $2 and $3 else false end $$;
create or replace function pg_catalog.is_smallint(super) returns boolean language sql immutable
    as $$ select redshift_internal.whole_between($1, -32768, 32767) $$;
create or replace function pg_catalog.is_integer(super) returns boolean language sql immutable
    as $$ select redshift_internal.whole_between($1, -2147483648, 2147483647) $$;
create or replace function pg_catalog.is_bigint(super) returns boolean language sql immutable
    as $$ select redshift_internal.whole_between($1, -9223372036854775808, 9223372036854775807) $$;
create or replace function pg_catalog.decimal_scale(super) returns integer language sql immutable strict
    as $$ select case when is_decimal($1) then scale(redshift_internal.scalar($1)::numeric) end $$;
create or replace function pg_catalog.decimal_precision(super) returns integer language sql immutable strict
    as $$ select case when is_decimal($1) then length(translate(redshift_internal.scalar($1), '-.', '')) end $$;

-- Arrays. What is none gives NULL.
create or replace function redshift_internal.make_array(super[]) returns super language sql immutable
    as $$ select redshift_internal.super_array(coalesce(array_agg(redshift_internal.json(e) order by n), '{}')) from unnest($1) with ordinality as u(e, n) $$;
create or replace function redshift_internal.parts(super) returns table (value json, n bigint) language sql immutable strict
    as $$ select e.value, e.n from json_array_elements(case when redshift_internal.kind($1) = 'array' then redshift_internal.json($1) end)
          with ordinality as e(value, n) $$;
create or replace function pg_catalog.get_array_length(super) returns bigint language sql immutable strict
    as $$ select case when is_array($1) then json_array_length(redshift_internal.json($1))::bigint end $$;
create or replace function pg_catalog.array_concat(super, super) returns super language sql immutable strict
    as $$ select case when is_array($1) and is_array($2) then
              redshift_internal.super_array(array(select value from redshift_internal.parts($1) order by n)
                                            || array(select value from redshift_internal.parts($2) order by n)) end $$;
create or replace function pg_catalog.subarray(super, integer, integer) returns super language sql immutable strict
    as $$ select case when is_array($1) then redshift_internal.super_array(array(
              select value from redshift_internal.parts($1), (select case when $2 < 0 then get_array_length($1) + $2 else $2 end as start) s
              where n > start and n <= start + $3 order by n)) end $$;
create or replace function pg_catalog.array_flatten(super) returns super language sql immutable strict
    as $$ select case when is_array($1) then redshift_internal.super_array(array(
              with recursive inner_parts(value, place) as (
                  select value, array[n] from redshift_internal.parts($1)
                  union all
                  select e.value, place || e.n
                  from inner_parts o, json_array_elements(case when json_typeof(o.value) = 'array' then o.value end) with ordinality as e(value, n))
              select value from inner_parts where json_typeof(value) <> 'array' order by place)) end $$;
create or replace function pg_catalog.split_to_array(text, text default ',') returns super language sql immutable strict
    as $$ select redshift_internal.super_array(array(select to_json(s) from unnest(string_to_array($1, $2)) with ordinality as u(s, n) order by n)) $$;
-- Two elements are the same if ORDER BY would say so; nulls are.
create or replace function redshift_internal.same_part(json, super) returns boolean language sql immutable
    as $$ select redshift_internal.super_order(redshift_internal.super_json($1), coalesce($2, redshift_internal.from_stored(chr(1) || 'null'))) = 0 $$;
create or replace function redshift_internal.array_positions(super, super, nulls boolean) returns super language sql immutable
    as $$ select case
              when not is_array($1) or (not nulls and $2 is null) then null
              when nulls or exists (select from redshift_internal.parts($1) where redshift_internal.same_part(value, $2))
                   or not exists (select from redshift_internal.parts($1) where json_typeof(value) = 'null')
              then redshift_internal.super_array(array(select to_json(n - 1) from redshift_internal.parts($1)
                                                       where redshift_internal.same_part(value, $2) order by n)) end $$;
create or replace function redshift_internal.array_contains(super, super, nulls boolean) returns boolean language sql immutable
    as $$ select get_array_length(redshift_internal.array_positions($1, $2, nulls)) > 0 $$;
create or replace function redshift_internal.array_position(super, super, nulls boolean) returns integer language sql immutable
    as $$ select case when get_array_length(found) = 0 then -1 else redshift_internal.step(found, 0)::integer end
          from redshift_internal.array_positions($1, $2, nulls) as f(found) $$;
create or replace function pg_catalog.array_distinct(super) returns super language sql immutable strict
    as $$ select case when is_array($1) then redshift_internal.super_array(array(
              select value from redshift_internal.parts($1) p where not exists (
                  select from redshift_internal.parts($1) before
                  where before.n < p.n and redshift_internal.same_part(before.value, redshift_internal.super_json(p.value)))
              order by n)) end $$;
create or replace function pg_catalog.array_except(super, super, "distinct" boolean default false) returns super language plpgsql immutable strict as $$
declare
    kept json[] := '{}';
    left_over json[] := array(select value from redshift_internal.parts($2) order by n);
    part json;
    place integer;
begin
    if not (is_array($1) and is_array($2)) then
        return null;
    end if;
    for part in select value from redshift_internal.parts($1) order by n loop
        place := (select min(n) from unnest(left_over) with ordinality as u(value, n)
                  where redshift_internal.same_part(value, redshift_internal.super_json(part)));
        if place is null then
            kept := kept || part;
        elsif not $3 then
            left_over := left_over[:place - 1] || left_over[place + 1:];
        end if;
    end loop;
    return case when $3 then array_distinct(redshift_internal.super_array(kept)) else redshift_internal.super_array(kept) end;
end $$;

-- Objects.
create or replace function redshift_internal.make_object(names text[], parts super[]) returns super language plpgsql immutable as $$
begin
    if array_position(names, null) is not null then
        perform redshift_internal.invalid_input('OBJECT has a name that is NULL');
    end if;
    return redshift_internal.read_json('{' || coalesce((
        select string_agg(to_json(name)::text || ':' || coalesce(redshift_internal.super_text(part), 'null'), ',' order by n)
        from unnest(names, parts) with ordinality as u(name, part, n)), '') || '}');
end $$;
create or replace function pg_catalog.get_number_attributes(super) returns integer language sql immutable strict
    as $$ select case when is_object($1) then (select count(*)::integer from json_object_keys(redshift_internal.json($1))) end $$;
-- In JSON without blanks a string before a colon is a name.
create or replace function redshift_internal.names_in_case(super, upper_case boolean) returns super language plpgsql immutable strict
set standard_conforming_strings = on as $$
declare
    changed text;
begin
    if not (is_object($1) or is_array($1)) then
        return $1;
    end if;
    select string_agg(case when m[2] = '' or m[1] is null then coalesce(m[1], m[3])
                           else to_json(case when upper_case then upper(m[1]::json #>> '{}') else lower(m[1]::json #>> '{}') end)::text || ':' end,
                      '' order by n)
    into changed
    from regexp_matches(redshift_internal.super_text($1), '("(?:[^"\\]|\\.)*")(:?)|([^"]+)', 'g') with ordinality as r(m, n);
    return redshift_internal.read_json(changed);
exception when internal_error then
    perform redshift_internal.invalid_input('SUPER value has duplicate attributes after case conversion.');
end $$;
create or replace function pg_catalog.lower_attribute_names(super) returns super language sql immutable strict
    as $$ select redshift_internal.names_in_case($1, false) $$;
create or replace function pg_catalog.upper_attribute_names(super) returns super language sql immutable strict
    as $$ select redshift_internal.names_in_case($1, true) $$;

-- JSON in strings, with the argument that makes what cannot be read NULL.
create or replace function redshift_internal.is_json(text) returns boolean language plpgsql immutable strict as $$
begin
    perform $1::json;
    return true;
exception when data_exception then
    return false;
end $$;
create or replace function redshift_internal.json_of(text) returns json language plpgsql immutable strict as $$
begin
    return $1::json;
exception when data_exception then
    raise exception 'JSON parsing error' using errcode = 'XX000';
end $$;
create or replace function redshift_internal.json_text(json) returns varchar language sql immutable strict
    as $$ select case json_typeof($1) when 'string' then $1 #>> '{}' when 'null' then null else redshift_internal.compact($1::text) end $$;
create or replace function pg_catalog.is_valid_json(text) returns boolean language sql immutable strict
    as $$ select case when redshift_internal.is_json($1) then json_typeof($1::json) = 'object' else false end $$;
create or replace function pg_catalog.is_valid_json_array(text) returns boolean language sql immutable strict
    as $$ select case when redshift_internal.is_json($1) then json_typeof($1::json) = 'array' else false end $$;
create or replace function pg_catalog.json_extract_path_text(text, variadic text[]) returns varchar language sql immutable strict
    as $$ select case when redshift_internal.json_of($1) #> $2 is null then '' else redshift_internal.json_text($1::json #> $2) end $$;
create or replace function redshift_internal.json_path_or_null(text, text[]) returns varchar language sql immutable strict
    as $$ select case when redshift_internal.is_json($1) then json_extract_path_text($1, variadic $2) end $$;
create or replace function pg_catalog.json_extract_path_text(text, text, boolean) returns varchar language sql immutable
    as $$ select case when $3 then redshift_internal.json_path_or_null($1, array[$2]) else json_extract_path_text($1, $2) end $$;
create or replace function pg_catalog.json_extract_path_text(text, text, text, boolean) returns varchar language sql immutable
    as $$ select case when $4 then redshift_internal.json_path_or_null($1, array[$2, $3]) else json_extract_path_text($1, $2, $3) end $$;
create or replace function pg_catalog.json_extract_path_text(text, text, text, text, boolean) returns varchar language sql immutable
    as $$ select case when $5 then redshift_internal.json_path_or_null($1, array[$2, $3, $4]) else json_extract_path_text($1, $2, $3, $4) end $$;
create or replace function pg_catalog.json_array_length(text) returns integer language sql immutable strict
    as $$ select json_array_length(redshift_internal.json_of($1)) $$;
create or replace function pg_catalog.json_array_length(text, boolean) returns integer language sql immutable strict
    as $$ select case when not $2 or redshift_internal.is_json($1) then json_array_length($1) end $$;
create or replace function pg_catalog.json_extract_array_element_text(text, integer) returns varchar language sql immutable strict
    as $$ select case when $2 < 0 then ''
                      else coalesce(redshift_internal.json_text(redshift_internal.json_of($1) -> $2), '') end::varchar $$;
create or replace function pg_catalog.json_extract_array_element_text(text, integer, boolean) returns varchar language sql immutable strict
    as $$ select case when not $3 or redshift_internal.is_json($1) then json_extract_array_element_text($1, $2) end $$;
