-- String functions of Redshift that PostgreSQL lacks or means otherwise: regular expressions, hashes, sounds.

-- Redshift's options for PostgreSQL's: c and i are the same, p (Perl's dialect) is what PostgreSQL's own dialect mostly
-- covers, e (take the group) is the functions' own matter.
create or replace function redshift_internal.regexp_flags(text) returns text language plpgsql immutable strict as $$
begin
    if $1 ~ '[^ceip]' then
        raise exception 'invalid option of a regular expression: %', $1 using errcode = '22023';
    end if;
    return case when strpos($1, 'i') > 0 then 'i' else '' end;
end $$;

create or replace function redshift_internal.regexp_text(value text, pattern text, start integer, nth integer, flags text)
returns varchar language sql immutable strict as $$
    select case when nth < 1 or nth > length(value) then null
           else coalesce(regexp_substr(value, pattern, greatest(start, 1), nth, redshift_internal.regexp_flags(flags),
                                       case when strpos(flags, 'e') > 0 and pattern like '%(%' then 1 else 0 end), '') end::varchar
$$;
create or replace function redshift_internal.regexp_at(value text, pattern text, start integer, nth integer, ends integer, flags text)
returns integer language sql immutable strict
    as $$ select regexp_instr(value, pattern, greatest(start, 1), nth, ends, redshift_internal.regexp_flags(flags)) $$;
create or replace function redshift_internal.regexp_number(value text, pattern text, start integer, flags text)
returns integer language sql immutable strict
    as $$ select regexp_count(value, pattern, greatest(start, 1), redshift_internal.regexp_flags(flags)) $$;
create or replace function redshift_internal.regexp_other(value text, pattern text, other text, start integer, flags text)
returns varchar language sql immutable strict
    as $$ select regexp_replace(value, pattern, regexp_replace(other, '[$]([0-9])', chr(92) || chr(92) || chr(92) || '1', 'g'),
                                greatest(start, 1), 0, redshift_internal.regexp_flags(flags))::varchar $$;

create or replace function pg_catalog.sha1(text) returns varchar language plpgsql immutable strict as $$
declare  -- PostgreSQL without extensions has SHA-2 only
    message bytea := convert_to($1, 'UTF8');
    h bigint[] := array[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
    w bigint[];
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; t bigint;
    mask constant bigint := 4294967295;
    bits constant bigint := octet_length(message)::bigint * 8;
begin
    message := message || decode('80', 'hex') || decode(repeat('00', (119 - octet_length(message) % 64) % 64), 'hex')
               || int8send(bits);
    for block in 0 .. octet_length(message) / 64 - 1 loop
        for i in 0 .. 15 loop
            w[i] := (get_byte(message, block * 64 + i * 4)::bigint << 24) | (get_byte(message, block * 64 + i * 4 + 1) << 16)
                    | (get_byte(message, block * 64 + i * 4 + 2) << 8) | get_byte(message, block * 64 + i * 4 + 3);
        end loop;
        for i in 16 .. 79 loop
            t := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
            w[i] := ((t << 1) | (t >> 31)) & mask;
        end loop;
        a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
        for i in 0 .. 79 loop
            if i < 20 then f := (b & c) | ((~b) & mask & d); k := 1518500249;
            elsif i < 40 then f := b # c # d; k := 1859775393;
            elsif i < 60 then f := (b & c) | (b & d) | (c & d); k := 2400959708;
            else f := b # c # d; k := 3395469782;
            end if;
            t := ((((a << 5) | (a >> 27)) & mask) + f + e + k + w[i]) & mask;
            e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := t;
        end loop;
        h := array[(h[1] + a) & mask, (h[2] + b) & mask, (h[3] + c) & mask, (h[4] + d) & mask, (h[5] + e) & mask];
    end loop;
    return (select string_agg(lpad(to_hex(part), 8, '0'), '' order by n) from unnest(h) with ordinality as u(part, n))::varchar;
end $$;
create or replace function pg_catalog.sha(text) returns varchar language sql immutable strict as $$ select sha1($1) $$;
create or replace function pg_catalog.func_sha1(text) returns varchar language sql immutable strict as $$ select sha1($1) $$;

create or replace function pg_catalog.replicate(text, integer) returns varchar language sql immutable strict
    as $$ select repeat($1, $2)::varchar $$;
create or replace function pg_catalog.soundex(text) returns varchar language plpgsql immutable strict as $$
declare
    letters text := regexp_replace(upper($1), '[^A-Z]', '', 'g');
    found text := left(letters, 1);
    codes constant text := '01230120022455012623010202';
    last text := substr(codes, ascii(found) - 64, 1);
    code text;
begin
    if letters = '' then
        return '';
    end if;
    for i in 2 .. length(letters) loop
        code := substr(codes, ascii(substr(letters, i, 1)) - 64, 1);
        if code <> '0' and code <> last then
            found := found || code;
        end if;
        if substr(letters, i, 1) not in ('H', 'W') then
            last := code;
        end if;
    end loop;
    return rpad(left(found, 4), 4, '0');
end $$;
create or replace function pg_catalog.difference(text, text) returns integer language sql immutable strict
    as $$ select count(*)::integer from generate_series(1, 4) i where substr(soundex($1), i, 1) = substr(soundex($2), i, 1) $$;

-- FNV-1a of 64 bits over the bytes that a value has in memory, lowest byte first.
create or replace function redshift_internal.fnv(data bytea, seed bigint) returns bigint language plpgsql immutable strict as $$
declare
    hash numeric := case when seed < 0 then seed + 18446744073709551616 else seed end;
    low integer;
begin
    for i in 0 .. octet_length(data) - 1 loop
        low := mod(hash, 256)::integer;
        hash := mod((hash - low + (low # get_byte(data, i))) * 1099511628211, 18446744073709551616);
    end loop;
    return (case when hash >= 9223372036854775808 then hash - 18446744073709551616 else hash end)::bigint;
end $$;
create or replace function redshift_internal.reversed(bytea) returns bytea language sql immutable strict
    as $$ select string_agg(substring($1 from n for 1), '' order by n desc) from generate_series(1, octet_length($1)) n $$;
do $$
declare
    kind text[];
begin
    foreach kind slice 1 in array array[
        ['text', 'convert_to($1, ''UTF8'')'], ['bytea', '$1'],
        ['smallint', 'redshift_internal.reversed(int2send($1))'], ['integer', 'redshift_internal.reversed(int4send($1))'],
        ['bigint', 'redshift_internal.reversed(int8send($1))'], ['boolean', 'boolsend($1)']] loop
        execute format('create or replace function pg_catalog.fnv_hash(%s, bigint default -3750763034362895579) returns bigint
            language sql immutable strict as ''select redshift_internal.fnv(%s, $2)''', kind[1], replace(kind[2], '''', ''''''));
    end loop;
end $$;

create or replace function pg_catalog.getbit(bytea, integer) returns integer language sql immutable strict
    as $$ select get_bit($1, $2 % 8 + 8 * (octet_length($1) - 1 - $2 / 8)) $$;

-- Same name, other meaning. PostgreSQL reaches its own functions by number, past what is defined here, unless the planner
-- puts a definition in their place. It does so with SQL functions that are not IMMUTABLE and use each argument once.
create or replace function redshift_internal.plain_split_part(text, text, integer) returns text
    language internal immutable strict as 'split_part';
create or replace function redshift_internal.split_part(text, text, integer) returns text language plpgsql immutable strict as $$
begin
    if $3 < 1 then
        raise exception 'field position must be greater than zero' using errcode = '22023';
    end if;
    return redshift_internal.plain_split_part($1, $2, $3);
end $$;
create or replace function pg_catalog.split_part(text, text, integer) returns text language sql stable
    as $$ select redshift_internal.split_part($1, $2, $3) $$;

create or replace function redshift_internal.plain_chr(integer) returns text language internal immutable strict as 'chr';
create or replace function redshift_internal.chr(integer) returns text language plpgsql immutable strict as $$
begin
    return case when $1 <= 127 then redshift_internal.plain_chr($1) end;
end $$;
create or replace function pg_catalog.chr(integer) returns text language sql stable
    as $$ select redshift_internal.chr($1) $$;

create or replace function redshift_internal.plain_left(text, integer) returns text language internal immutable strict as 'text_left';
create or replace function redshift_internal.plain_right(text, integer) returns text language internal immutable strict as 'text_right';
create or replace function redshift_internal.side(text, integer, boolean) returns text language plpgsql immutable strict as $$
begin
    if $2 < 0 then
        raise exception 'negative substring length not allowed' using errcode = '22011';
    end if;
    return case when $3 then redshift_internal.plain_left($1, $2) else redshift_internal.plain_right($1, $2) end;
end $$;
create or replace function pg_catalog.left(text, integer) returns text language sql stable
    as $$ select redshift_internal.side($1, $2, true) $$;
create or replace function pg_catalog.right(text, integer) returns text language sql stable
    as $$ select redshift_internal.side($1, $2, false) $$;

create or replace function redshift_internal.no_pattern(text, text) returns text language plpgsql immutable strict as $$
begin
    raise exception 'SUBSTRING with a pattern is not supported by Redshift: use REGEXP_SUBSTR' using errcode = '0A000';
end $$;
create or replace function pg_catalog.substring(text, text) returns text language sql stable
    as $$ select redshift_internal.no_pattern($1, $2) $$;

create or replace function pg_catalog.octetindex(text, text) returns integer language sql immutable strict
    as $$ select case when strpos($2, $1) = 0 then 0 else octet_length(substr($2, 1, strpos($2, $1) - 1)) + 1 end $$;
create or replace function pg_catalog.crc32(text) returns varchar language plpgsql immutable strict as $$
declare  -- CRC-32C
    message bytea := convert_to($1, 'UTF8');
    crc bigint := 4294967295;
begin
    for i in 0 .. octet_length(message) - 1 loop
        crc := crc # get_byte(message, i);
        for bit in 1 .. 8 loop
            crc := case when crc & 1 = 1 then (crc >> 1) # 2197175160 else crc >> 1 end;
        end loop;
    end loop;
    return lpad(to_hex(crc # 4294967295), 8, '0')::varchar;
end $$;

-- Numbers and dates become strings by themselves where a function wants one, as long as it is the first argument.
do $$
declare
    kind text;
    call text[];
begin
    foreach kind in array array['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision', 'date', 'timestamp',
                                'timestamptz'] loop
        foreach call slice 1 in array array[
            ['len', '', 'integer'], ['length', '', 'integer'], ['octet_length', '', 'integer'], ['upper', '', 'text'],
            ['lower', '', 'text'], ['reverse', '', 'text'], ['btrim', '', 'text'], ['ltrim', '', 'text'],
            ['rtrim', '', 'text'], ['md5', '', 'text'], ['left', 'integer', 'text'], ['right', 'integer', 'text'],
            ['repeat', 'integer', 'text'], ['lpad', 'integer', 'text'], ['lpad', 'integer, text', 'text'],
            ['rpad', 'integer', 'text'], ['rpad', 'integer, text', 'text'], ['substring', 'integer', 'text'],
            ['substring', 'integer, integer', 'text'], ['substr', 'integer', 'text'], ['substr', 'integer, integer', 'text'],
            ['strpos', 'text', 'integer'], ['position', 'text', 'integer'], ['ltrim', 'text', 'text'],
            ['rtrim', 'text', 'text'], ['btrim', 'text', 'text'], ['replace', 'text, text', 'text'],
            ['translate', 'text, text', 'text'], ['split_part', 'text, integer', 'text']] loop
            execute format('create or replace function pg_catalog.%I(%s) returns %s language sql stable strict as %L',
                call[1], concat_ws(', ', kind, nullif(call[2], '')), call[3],
                format('select pg_catalog.%I(%s)', call[1],
                       concat_ws(', ', '$1::varchar::text', nullif(array_to_string((array['$2', '$3'])[1:
                           case when call[2] = '' then 0 else 1 + length(call[2]) - length(replace(call[2], ',', '')) end], ', '), ''))));
        end loop;
        execute format('create or replace function pg_catalog.charindex(text, %s) returns integer language sql stable strict as %L',
            kind, 'select charindex($1, $2::varchar::text)');
    end loop;
end $$;

-- LIKE of a number or a date looks at its text.
do $$
declare
    kind text;
    op text[];
begin
    foreach kind in array array['smallint', 'integer', 'bigint', 'numeric', 'date', 'timestamp', 'timestamptz'] loop
        foreach op slice 1 in array array[['~~', 'like'], ['!~~', 'not_like'], ['~~*', 'ilike'], ['!~~*', 'not_ilike']] loop
            execute format('create or replace function redshift_internal.%I(%s, text) returns boolean language sql stable strict as %L',
                           op[2], kind, format('select $1::varchar::text %s $2', op[1]));
            if to_regoperator(format('pg_catalog.%s(%s, text)', op[1], kind)) is null then
                execute format('create operator pg_catalog.%s (leftarg = %s, rightarg = text, function = redshift_internal.%I)',
                               op[1], kind, op[2]);
            end if;
        end loop;
    end loop;
end $$;
