select
    patient_id,
    provider_id,
    role,
    priority,
    effort_share,
    note,
    since_date,
    updated_at,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'care_team') }}
where _deleted_at is null
