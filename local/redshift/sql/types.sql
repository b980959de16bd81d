-- SUPER and VARBYTE, and lengths that count bytes.
create schema if not exists redshift_internal;
grant usage, create on schema redshift_internal to public;

-- SUPER is a type of its own, with Redshift's number. Its input function is that of TEXT: so whatever PostgreSQL makes a
-- SUPER of, a literal in VALUES, a cast or a bind parameter, is a string and not read as JSON, as on Redshift. What is
-- no string is stored as the character U+0001 and its JSON without blanks: keys keep their order, numbers their digits.
-- Why not a domain over jsonb: it reads every literal as JSON, and sorts keys. super_text.py has the same form in Python.
do $$
begin
    if to_regtype('pg_catalog.super') is null then
        create type pg_catalog.super;
        update pg_catalog.pg_type set oid = 4000
        where typname = 'super' and typnamespace = 'pg_catalog'::regnamespace;
        create function pg_catalog.super_in(cstring) returns super language internal immutable strict as 'textin';
        create function pg_catalog.super_out(super) returns cstring language internal immutable strict as 'textout';
        create function pg_catalog.super_recv(internal) returns super language internal stable strict as 'textrecv';
        create function pg_catalog.super_send(super) returns bytea language internal stable strict as 'textsend';
        -- A number to PostgreSQL's choice among functions: ROUND('1.5') is to find the one for numbers, as ever.
        create type pg_catalog.super (input = super_in, output = super_out, receive = super_recv, send = super_send,
                                      internallength = variable, storage = extended, category = 'N');
        create domain pg_catalog.varbyte as bytea;
    elsif 'pg_catalog.super'::regtype::oid <> 4000 then
        raise exception 'SUPER is stored in an older form';
    end if;
end $$;

-- After every CREATE or ALTER TABLE: each VARCHAR(n) and CHAR(n) column gets a CHECK on its bytes, since PostgreSQL
-- counts characters; unbounded text (CREATE TABLE AS) is Redshift's longest VARCHAR. answers.py words the error.
create or replace function redshift_internal.check_bytes() returns event_trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare
    tab oid;
    actions text;
begin
    for tab in
        select distinct objid from pg_event_trigger_ddl_commands()
        where object_type in ('table', 'table column') and classid = 'pg_class'::regclass
    loop
        with columns as (
            select a.attname, case when a.atttypmod > 4 then a.atttypmod - 4 else 65535 end as octets,
                   (select k.conname from pg_constraint k
                    where k.conrelid = a.attrelid and k.conkey = array[a.attnum]
                      and k.conname like 'redshift#_bytes#_%' escape '#' limit 1) as held
            from pg_attribute a join pg_class c on c.oid = a.attrelid
            where a.attrelid = tab and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
              and a.atttypid in ('varchar'::regtype, 'bpchar'::regtype, 'text'::regtype)
        )
        select string_agg(coalesce('drop constraint ' || quote_ident(held) || ', ', '')
                   || format('add constraint %I check (octet_length(%I) <= %s)',
                             'redshift_bytes_' || octets || '_' || left(md5(attname), 8), attname, octets), ', ')
        into actions
        from columns where held is null or split_part(held, '_', 3) <> octets::text;
        if actions is not null then
            -- One command for all: each one runs this trigger again, which then finds nothing to do.
            execute format('alter table %s %s', tab::regclass, actions);
        end if;
    end loop;
end $$;

drop event trigger if exists redshift_check_bytes;
create event trigger redshift_check_bytes on ddl_command_end
    when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE')
    execute function redshift_internal.check_bytes();

-- ALTER COLUMN TYPE is for VARCHAR alone.
create or replace procedure redshift_internal.check_alter_type(tab text, col text)
language plpgsql as $$
declare
    found record;
begin
    select a.atttypid, a.atthasdef into found from pg_catalog.pg_attribute a
    where a.attrelid = tab::regclass and a.attname = col and not a.attisdropped;
    if found.atttypid is distinct from 'varchar'::regtype::oid and found.atttypid is not null then
        raise exception 'ALTER COLUMN TYPE is not supported by Redshift: column "%" is not VARCHAR', col using errcode = '0A000';
    elsif found.atthasdef then
        raise exception 'ALTER COLUMN TYPE is not supported by Redshift: column "%" has a default', col using errcode = '0A000';
    elsif exists (select from redshift_internal.declared_key k join pg_catalog.pg_attribute a on a.attrelid = k.conrelid
                  where k.conrelid = tab::regclass and a.attname = col and a.attnum = any (k.conkey)) then
        raise exception 'ALTER COLUMN TYPE is not supported by Redshift: column "%" belongs to a key', col using errcode = '0A000';
    elsif exists (select from redshift_internal.layout l join pg_catalog.pg_attribute a on a.attrelid = l.relid
                  where l.relid = tab::regclass and a.attname = col
                  and l.encode ->> a.attnum::text in ('bytedict', 'runlength', 'text255', 'text32k')) then
        raise exception 'ALTER COLUMN TYPE is not supported by Redshift: the encoding of column "%" forbids it', col using errcode = '0A000';
    end if;
end $$;

-- ALTER TABLE … APPEND: the rows of one table move into another, by the names of the columns.
create or replace procedure redshift_internal.append_table(target text, source text, how text) language plpgsql as $$
declare
    names text;
    problem text;
begin
    select string_agg(quote_ident(t.attname), ', ' order by t.attnum),
           max(case when format_type(t.atttypid, t.atttypmod) <> format_type(s.atttypid, s.atttypmod) then t.attname end)
    into names, problem
    from pg_catalog.pg_attribute t join pg_catalog.pg_attribute s using (attname)
    where t.attrelid = target::regclass and s.attrelid = source::regclass
    and t.attnum > 0 and s.attnum > 0 and not t.attisdropped and not s.attisdropped;
    if problem is null and how <> 'filltarget' then
        select attname into problem from pg_catalog.pg_attribute t
        where attrelid = target::regclass and attnum > 0 and not attisdropped and not exists (
            select from pg_catalog.pg_attribute s
            where s.attrelid = source::regclass and s.attname = t.attname and not s.attisdropped) limit 1;
    end if;
    if problem is null and how <> 'ignoreextra' then
        select attname into problem from pg_catalog.pg_attribute s
        where attrelid = source::regclass and attnum > 0 and not attisdropped and not exists (
            select from pg_catalog.pg_attribute t
            where t.attrelid = target::regclass and t.attname = s.attname and not t.attisdropped) limit 1;
    end if;
    if problem is not null or names is null then
        raise exception 'ALTER TABLE APPEND: the tables differ in column "%"', problem using errcode = '42804';
    end if;
    execute format('insert into %s (%s) select %s from %s', target::regclass, names, names, source::regclass);
    execute format('delete from %s', source::regclass);
end $$;

-- Integers are implicitly booleans ("Implicit conversion types"), so `where 1` is a condition.
update pg_catalog.pg_cast set castcontext = 'a' where castsource = 'integer'::regtype and casttarget = 'boolean'::regtype;
