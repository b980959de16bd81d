select
    audit_event_id,
    actor_id,
    actor_kind,
    action,
    status,
    duration_us as duration_microseconds,
    ip_address,
    details,
    created_at as occurred_at,
    updated_at,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'audit_events') }}
where _deleted_at is null
