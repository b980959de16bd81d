{% macro minutes_between(start, end) -%}
    cast(case when {{ end }} >= {{ start }} then datediff(second, {{ start }}, {{ end }}) / 60 end as bigint)
{%- endmacro %}
