with

appointments as (

    select * from {{ ref('stg_clinic__appointments') }}

),

providers as (

    select * from {{ ref('stg_clinic__providers') }}

),

specialties as (

    select * from {{ ref('stg_clinic__specialties') }}

),

invoices as (

    select * from {{ ref('stg_clinic__invoices') }}

),

payments as (

    select * from {{ ref('stg_clinic__payments') }}

),

paid_per_invoice as (

    select
        invoice_id,
        sum(amount) as paid_amount
    from payments
    group by invoice_id

),

money_per_appointment as (

    select
        invoices.appointment_id,
        sum(case when invoices.status in ('sent', 'paid') then invoices.amount else 0 end) as invoiced_amount,
        sum(coalesce(paid_per_invoice.paid_amount, 0)) as paid_amount
    from invoices
    left join paid_per_invoice on invoices.invoice_id = paid_per_invoice.invoice_id
    where invoices.appointment_id is not null
    group by invoices.appointment_id

)

select
    cast(appointments.appointment_id as bigint) as appointment_id,
    cast(appointments.patient_id as bigint) as patient_id,
    cast(appointments.provider_id as integer) as provider_id,
    cast(specialties.code as varchar(24)) as specialty_code,
    cast(specialties.name as varchar(320)) as specialty_name,
    cast(appointments.status as varchar(20)) as status,
    cast(appointments.channel as varchar(20)) as channel,
    cast(appointments.fee as decimal(10, 2)) as fee,
    cast(coalesce(money_per_appointment.invoiced_amount, 0) as decimal(18, 2)) as invoiced_amount,
    cast(coalesce(money_per_appointment.paid_amount, 0) as decimal(18, 2)) as paid_amount,
    {{ minutes_between('appointments.booked_at', 'appointments.scheduled_at') }} as lead_time_minutes,
    {{ minutes_between('appointments.started_at', 'appointments.ended_at') }} as duration_minutes,
    appointments.status = 'completed' as is_completed,
    appointments.status = 'cancelled' as is_cancelled,
    coalesce(
        money_per_appointment.invoiced_amount > 0
        and money_per_appointment.paid_amount >= money_per_appointment.invoiced_amount,
        false
    ) as is_paid,
    cast(appointments.scheduled_at as date) as scheduled_date,
    appointments.booked_at,
    appointments.scheduled_at,
    appointments.started_at,
    appointments.ended_at,
    appointments.cancelled_at
from appointments
left join providers on appointments.provider_id = providers.provider_id
left join specialties on providers.specialty_id = specialties.specialty_id
left join money_per_appointment on appointments.appointment_id = money_per_appointment.appointment_id
