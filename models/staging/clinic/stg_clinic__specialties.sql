select
    specialty_id,
    code,
    name,
    is_bookable_online as online_booking_code,
    base_fee,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'specialties') }}
where _deleted_at is null
