select
    provider_id,
    specialty_id,
    npi,
    first_name,
    last_name,
    languages,
    first_licensed_year,
    average_rating,
    shift_starts as shift_start_time,
    service_area,
    biography,
    portrait,
    is_accepting_patients <> 0 as is_accepting_patients,
    hired_on as hired_date,
    created_at at time zone 'UTC' as created_at,
    updated_at at time zone 'UTC' as updated_at,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'providers') }}
where _deleted_at is null
