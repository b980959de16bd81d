select
    appointment_id,
    patient_id,
    provider_id,
    status,
    channel,
    waiting_time,
    connected_time,
    fee,
    reason,
    room_key,
    scheduled_at,
    started_at,
    ended_at,
    cancelled_at,
    reminder_sent_at at time zone 'UTC' as reminder_sent_at,
    created_at at time zone 'UTC' as booked_at,
    updated_at at time zone 'UTC' as updated_at,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'appointments') }}
where _deleted_at is null
