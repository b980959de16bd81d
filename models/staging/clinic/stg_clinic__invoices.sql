select
    invoice_id,
    patient_id,
    appointment_id,
    status,
    amount,
    tax_rate,
    amount_in_euro,
    exchange_rate,
    token_amount,
    due_date,
    issued_at,
    created_at at time zone 'UTC' as created_at,
    updated_at at time zone 'UTC' as updated_at,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'invoices') }}
where _deleted_at is null
