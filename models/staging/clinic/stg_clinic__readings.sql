select
    reading_id,
    device_id,
    patient_id,
    heart_rate,
    temperature_delta,
    steps,
    battery_change,
    weight_kg,
    signal_level,
    device_clock,
    device_counter,
    waveform,
    is_resting <> 0 as is_resting,
    taken_at,
    created_at at time zone 'UTC' as arrived_at,
    updated_at at time zone 'UTC' as updated_at,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'readings') }}
where _deleted_at is null
