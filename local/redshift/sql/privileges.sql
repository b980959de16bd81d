-- What Redshift grants by itself, and the views of privileges. Roles and groups are PostgreSQL's roles here, so which of
-- the two a role is, is not known: svv_role_grants and svv_user_grants list both.
grant usage, create on schema public to public;

-- For who may write a table but may not LOCK it in PostgreSQL: INSERT alone, or UPDATE of some columns.
create or replace function redshift_internal.lock_for_others(target regclass) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    execute format('lock table %s in share row exclusive mode', target);
end $$;
-- As the caller: nobody waits for a table that they may not write.
create or replace function redshift_internal.lock_to_write(target text) returns void
language plpgsql set search_path from current as $$
begin
    if not has_any_column_privilege(target::regclass, 'insert, update') then
        raise insufficient_privilege using message = 'permission denied for relation ' ||
            (select relname from pg_catalog.pg_class where oid = target::regclass);
    end if;
    perform redshift_internal.lock_for_others(target::regclass);
end $$;

create or replace function pg_catalog.user_is_member_of(name, name) returns boolean language sql stable strict
    as $$ select pg_catalog.pg_has_role($1, $2, 'member') $$;
create or replace function pg_catalog.role_is_member_of(name, name) returns boolean language sql stable strict
    as $$ select pg_catalog.pg_has_role($1, $2, 'member') $$;

-- Whom a privilege was granted to.
create or replace function redshift_internal.identity_name(grantee oid) returns text language sql stable as $$
    select case when grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(grantee)::text end $$;
create or replace function redshift_internal.identity_type(grantee oid) returns text language sql stable as $$
    select case when grantee = 0 then 'public'
                when (select rolcanlogin from pg_catalog.pg_roles where oid = grantee) then 'user' else 'group' end $$;

drop view if exists pg_catalog.svv_schema_privileges, pg_catalog.svv_database_privileges, pg_catalog.svv_column_privileges,
    pg_catalog.svv_function_privileges, pg_catalog.svv_default_privileges, pg_catalog.svv_role_grants, pg_catalog.svv_user_grants;
create view pg_catalog.svv_schema_privileges as
    select n.nspname::text as namespace_name, a.privilege_type::text, a.grantee::integer as identity_id,
           redshift_internal.identity_name(a.grantee) as identity_name, redshift_internal.identity_type(a.grantee) as identity_type,
           a.is_grantable as admin_option
    from pg_catalog.pg_namespace n cross join lateral pg_catalog.aclexplode(n.nspacl) a
    where n.nspname not in ('redshift_internal', 'pg_toast');
create view pg_catalog.svv_database_privileges as
    select d.datname::text as database_name, a.privilege_type::text, a.grantee::integer as identity_id,
           redshift_internal.identity_name(a.grantee) as identity_name, redshift_internal.identity_type(a.grantee) as identity_type,
           a.is_grantable as admin_option
    from pg_catalog.pg_database d cross join lateral pg_catalog.aclexplode(d.datacl) a
    where not d.datistemplate and d.datname <> 'postgres';
create view pg_catalog.svv_column_privileges as
    select n.nspname::text as namespace_name, c.relname::text as relation_name, t.attname::text as column_name,
           a.privilege_type::text, a.grantee::integer as identity_id,
           redshift_internal.identity_name(a.grantee) as identity_name, redshift_internal.identity_type(a.grantee) as identity_type
    from pg_catalog.pg_attribute t join pg_catalog.pg_class c on c.oid = t.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace cross join lateral pg_catalog.aclexplode(t.attacl) a
    where c.relkind in ('r', 'v') and n.nspname not in ('pg_catalog', 'information_schema', 'redshift_internal');
create view pg_catalog.svv_function_privileges as
    select n.nspname::text as namespace_name, p.proname::text as function_name,
           pg_catalog.oidvectortypes(p.proargtypes) as argument_types, a.privilege_type::text, a.grantee::integer as identity_id,
           redshift_internal.identity_name(a.grantee) as identity_name, redshift_internal.identity_type(a.grantee) as identity_type,
           a.is_grantable as admin_option
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    cross join lateral pg_catalog.aclexplode(p.proacl) a
    where n.nspname not in ('pg_catalog', 'information_schema', 'redshift_internal');
create view pg_catalog.svv_default_privileges as
    select n.nspname::text as schema_name,
           case d.defaclobjtype when 'r' then 'RELATION' when 'f' then 'FUNCTION' else d.defaclobjtype::text end as object_type,
           d.defaclrole::integer as owner_id, pg_catalog.pg_get_userbyid(d.defaclrole)::text as owner_name,
           redshift_internal.identity_type(d.defaclrole) as owner_type, a.privilege_type::text,
           a.grantee::integer as grantee_id, redshift_internal.identity_name(a.grantee) as grantee_name,
           redshift_internal.identity_type(a.grantee) as grantee_type, a.is_grantable as admin_option
    from pg_catalog.pg_default_acl d left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
    cross join lateral pg_catalog.aclexplode(d.defaclacl) a where d.defaclobjtype in ('r', 'f');
create view pg_catalog.svv_role_grants as
    select r.oid::integer as role_id, r.rolname::text as role_name, g.oid::integer as granted_role_id,
           g.rolname::text as granted_role_name
    from pg_catalog.pg_auth_members m join pg_catalog.pg_roles r on r.oid = m.member
    join pg_catalog.pg_roles g on g.oid = m.roleid where not r.rolcanlogin and r.rolname !~ '^pg_';
create view pg_catalog.svv_user_grants as
    select r.oid::integer as user_id, r.rolname::text as user_name, g.oid::integer as role_id, g.rolname::text as role_name,
           m.admin_option
    from pg_catalog.pg_auth_members m join pg_catalog.pg_roles r on r.oid = m.member
    join pg_catalog.pg_roles g on g.oid = m.roleid where r.rolcanlogin;
grant select on pg_catalog.svv_schema_privileges, pg_catalog.svv_database_privileges, pg_catalog.svv_column_privileges,
    pg_catalog.svv_function_privileges, pg_catalog.svv_default_privileges, pg_catalog.svv_role_grants,
    pg_catalog.svv_user_grants to public;
