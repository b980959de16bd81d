select
    invoice_id,
    payment_number,
    method,
    amount,
    processor_balance,
    processor_reference,
    receipt,
    paid_at at time zone 'UTC' as paid_at,
    updated_at at time zone 'UTC' as updated_at,
    _seq,
    _extracted_at at time zone 'UTC' as _extracted_at
from {{ source('clinic', 'payments') }}
where _deleted_at is null
