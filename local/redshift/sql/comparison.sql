-- Strings: trailing blanks do not count when two are compared, and VARCHAR(n) counts bytes in casts too.

-- PostgreSQL has this comparison already, for its type CHAR, whose values lie in memory as TEXT's do. So the operators and
-- the sort and hash support of TEXT and VARCHAR get CHAR's functions: =, <, IN, joins, GROUP BY, DISTINCT, ORDER BY, set
-- operations and windows all go through them. Why not an ICU collation: none ignores blanks at the end only. Why not
-- CHAR itself: it loses the blanks, which LEN counts. Comparisons of names with text stay as they are: the catalog's.
update pg_catalog.pg_operator o set oprcode = new.code::regproc
from (values ('=', 'bpchareq'), ('<>', 'bpcharne'), ('<', 'bpcharlt'), ('<=', 'bpcharle'), ('>', 'bpchargt'),
             ('>=', 'bpcharge')) new(name, code)
where o.oprname = new.name and o.oprleft = 'text'::regtype and o.oprright = 'text'::regtype
and o.oprcode <> new.code::regproc;

update pg_catalog.pg_amproc p set amproc = new.code::regproc
from pg_catalog.pg_opfamily f, pg_catalog.pg_am am,
     (values ('btree', 1, 'bpcharcmp'), ('btree', 2, 'bpchar_sortsupport'), ('hash', 1, 'hashbpchar'),
             ('hash', 2, 'hashbpcharextended')) new(method, number, code)
where f.oid = p.amprocfamily and am.oid = f.opfmethod and f.opfname = 'text_ops' and am.amname = new.method
and p.amproclefttype = 'text'::regtype and p.amprocrighttype = 'text'::regtype and p.amprocnum = new.number
and p.amproc <> new.code::regproc;

-- The longest prefix of whole characters within so many bytes.
create or replace function redshift_internal.first_bytes(value text, octets integer) returns text
language plpgsql immutable strict as $$
declare
    found text := substr(value, 1, octets);
begin
    while octet_length(found) > octets loop
        found := substr(found, 1, length(found) - greatest(1, (octet_length(found) - octets) / 4));
    end loop;
    return found;
end $$;

-- What PostgreSQL calls to fit a VARCHAR into VARCHAR(n): an explicit cast cuts, an assignment may cut blanks only.
create or replace function redshift_internal.fit_varchar(value varchar, typmod integer, explicit boolean) returns varchar
language plpgsql immutable strict as $$
declare
    octets integer := typmod - 4;
begin
    if typmod < 4 or octet_length(value) <= octets then
        return value;
    elsif explicit then
        return redshift_internal.first_bytes(value, octets);
    elsif octet_length(rtrim(value, ' ')) <= octets then
        return rpad(rtrim(value, ' '), octets - octet_length(rtrim(value, ' ')) + length(rtrim(value, ' ')));
    end if;
    raise exception 'value too long for type character varying(%)', octets using errcode = '22001';
end $$;
update pg_catalog.pg_cast set castfunc = 'redshift_internal.fit_varchar(varchar, integer, boolean)'::regprocedure
where castsource = 'varchar'::regtype and casttarget = 'varchar'::regtype
and castfunc <> 'redshift_internal.fit_varchar(varchar, integer, boolean)'::regprocedure;
