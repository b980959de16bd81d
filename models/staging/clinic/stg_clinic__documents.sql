select
    document_id,
    patient_id,
    title,
    media_type,
    page_count,
    revision,
    thumbnail,
    content,
    transcript,
    retain_until as retain_until_date,
    signed_at at time zone 'UTC' as signed_at,
    created_at,
    updated_at,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'documents') }}
where _deleted_at is null
