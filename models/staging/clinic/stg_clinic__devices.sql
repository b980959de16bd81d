select
    device_id,
    serial_number,
    kind,
    firmware,
    capabilities as capability_bits,
    register_mask as register_bits,
    calibration_offset,
    made_in_year as manufacture_year,
    ships_to,
    is_enabled <> 0 as is_enabled,
    retires_at,
    created_at,
    updated_at,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'devices') }}
where _deleted_at is null
