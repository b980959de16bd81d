select
    patient_id,
    email as email_hash,
    first_name,
    last_name,
    sex,
    phone,
    country,
    home_location,
    utc_offset_minutes,
    risk_score,
    external_id,
    preferences,
    birth_date,
    consent_expires_at,
    created_at at time zone 'UTC' as registered_at,
    updated_at at time zone 'UTC' as updated_at,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'patients') }}
where _deleted_at is null
