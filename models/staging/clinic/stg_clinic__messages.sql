select
    message_id,
    patient_id,
    provider_id,
    direction,
    status,
    subject,
    body,
    attachment,
    read_at at time zone 'UTC' as read_at,
    created_at at time zone 'UTC' as sent_at,
    updated_at at time zone 'UTC' as updated_at,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'messages') }}
where _deleted_at is null
