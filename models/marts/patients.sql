with

patients as (

    select * from {{ ref('stg_clinic__patients') }}

),

appointments as (

    select * from {{ ref('stg_clinic__appointments') }}

),

care_team as (

    select * from {{ ref('stg_clinic__care_team') }}

),

messages as (

    select * from {{ ref('stg_clinic__messages') }}

),

appointments_per_patient as (

    select
        patient_id,
        count(*) as appointments_booked,
        sum(case when status = 'completed' then 1 else 0 end) as appointments_completed,
        sum(case when status = 'no_show' then 1 else 0 end) as appointments_missed,
        min(booked_at) as first_booked_at,
        max(booked_at) as last_booked_at
    from appointments
    group by patient_id

),

providers_per_patient as (

    select
        patient_id,
        count(*) as care_team_size
    from care_team
    group by patient_id

),

messages_per_patient as (

    select
        patient_id,
        sum(case when direction = 'from patient' then 1 else 0 end) as messages_written,
        sum(case when direction = 'to patient' then 1 else 0 end) as messages_received
    from messages
    group by patient_id

)

select
    cast(patients.patient_id as bigint) as patient_id,
    cast(patients.sex as varchar(20)) as sex,
    cast(patients.country as varchar(8)) as country,
    -- Of people aged 90 or more there are so few that the year would point to them.
    cast(
        case
            when patients.birth_date > current_date then null
            when extract(year from patients.birth_date) >= extract(year from current_date) - 89
                then extract(year from patients.birth_date)
        end as integer
    ) as birth_year,
    cast(coalesce(providers_per_patient.care_team_size, 0) as bigint) as care_team_size,
    cast(coalesce(appointments_per_patient.appointments_booked, 0) as bigint) as appointments_booked,
    cast(coalesce(appointments_per_patient.appointments_completed, 0) as bigint) as appointments_completed,
    cast(coalesce(appointments_per_patient.appointments_missed, 0) as bigint) as appointments_missed,
    cast(coalesce(messages_per_patient.messages_written, 0) as bigint) as messages_written,
    cast(coalesce(messages_per_patient.messages_received, 0) as bigint) as messages_received,
    patients.email_hash is not null as has_email,
    patients.registered_at,
    appointments_per_patient.first_booked_at,
    appointments_per_patient.last_booked_at
from patients
left join appointments_per_patient on patients.patient_id = appointments_per_patient.patient_id
left join providers_per_patient on patients.patient_id = providers_per_patient.patient_id
left join messages_per_patient on patients.patient_id = messages_per_patient.patient_id
