{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='activity_date',
        on_schema_change='fail'
    )
}}

{#
    A row that arrives today may belong to a day long past: a payment corrected, an appointment cancelled, a table
    that could not be loaded for a week. So the look-back is not counted in days of activity but in time of reading:
    a day is counted again, as a whole, when any of its rows was read since this model last saw that kind of
    activity, less the look-back. Days are taken from columns that the application never changes.
#}
{% set activities = ['patients', 'appointments', 'messages', 'readings', 'payments'] %}

with

events as (

    select
        'patients' as activity,
        cast(registered_at as date) as activity_date,
        cast(null as varchar(20)) as status,
        cast(null as decimal(12, 2)) as amount,
        _extracted_at
    from {{ ref('stg_clinic__patients') }}

    union all

    select
        'appointments' as activity,
        cast(booked_at as date) as activity_date,
        status,
        cast(null as decimal(12, 2)) as amount,
        _extracted_at
    from {{ ref('stg_clinic__appointments') }}

    union all

    select
        'messages' as activity,
        cast(sent_at as date) as activity_date,
        status,
        cast(null as decimal(12, 2)) as amount,
        _extracted_at
    from {{ ref('stg_clinic__messages') }}

    union all

    select
        'readings' as activity,
        cast(arrived_at as date) as activity_date,
        cast(null as varchar(20)) as status,
        cast(null as decimal(12, 2)) as amount,
        _extracted_at
    from {{ ref('stg_clinic__readings') }}

    union all

    select
        'payments' as activity,
        cast(paid_at as date) as activity_date,
        cast(null as varchar(20)) as status,
        amount,
        _extracted_at
    from {{ ref('stg_clinic__payments') }}

),

{% if is_incremental() %}

    seen as (

        {% for activity in activities %}
            select
                '{{ activity }}' as activity,
                max({{ activity }}_extracted_at) as extracted_at
            from {{ this }}
            {% if not loop.last %}union all{% endif %}
        {% endfor %}

    ),

    days_to_count as (

        select distinct events.activity_date
        from events
        inner join seen on events.activity = seen.activity
        where
            seen.extracted_at is null
            or events._extracted_at
            >= dateadd(day, -{{ var('daily_activity_look_back_days') }}, seen.extracted_at)

    ),

{% else %}

    days_to_count as (

        select distinct activity_date from events

    ),

{% endif %}

counted as (

    select
        events.activity_date,
        {% for activity in activities %}
            sum(case when events.activity = '{{ activity }}' then 1 else 0 end) as {{ activity }},
            max(case when events.activity = '{{ activity }}' then events._extracted_at end)
                as {{ activity }}_extracted_at,
        {% endfor %}
        sum(case when events.activity = 'appointments' and events.status = 'completed' then 1 else 0 end)
            as appointments_completed,
        sum(case when events.activity = 'appointments' and events.status = 'cancelled' then 1 else 0 end)
            as appointments_cancelled,
        sum(case when events.activity = 'messages' and events.status <> 'closed' then 1 else 0 end)
            as messages_open,
        sum(coalesce(events.amount, 0)) as payment_amount
    from events
    inner join days_to_count on events.activity_date = days_to_count.activity_date
    group by events.activity_date

)

select
    activity_date,
    cast(patients as bigint) as patients_registered,
    cast(appointments as bigint) as appointments_booked,
    cast(appointments_completed as bigint) as appointments_completed,
    cast(appointments_cancelled as bigint) as appointments_cancelled,
    cast(messages as bigint) as messages_sent,
    cast(messages_open as bigint) as messages_open,
    cast(readings as bigint) as readings_received,
    cast(payments as bigint) as payments_received,
    cast(payment_amount as decimal(18, 2)) as payment_amount,
    patients_extracted_at,
    appointments_extracted_at,
    messages_extracted_at,
    readings_extracted_at,
    payments_extracted_at
from counted
