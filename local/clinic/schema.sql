-- The demo application: a telehealth clinic, as its developers might have made it, awkward corners included.
-- In: an empty database. Out: twelve empty tables, parents before children. Valid for MySQL 8 and MariaDB 10.6+.
--
-- Between them the tables use every MySQL type that the loader knows. Every table but the lookup `specialties`
-- has a cursor `updated_at` that the server sets by itself, in several precisions, with an index. No foreign key
-- changes a child row behind that cursor's back (no ON UPDATE CASCADE, no ON DELETE SET NULL), and nothing
-- refers to `messages` or `audit_events`, the large tables whose old rows an archive may take away.

create table specialties (
    specialty_id tinyint unsigned not null comment 'Number of the specialty',
    code char(6) not null comment 'Short code, as printed on letters',
    name varchar(80) not null comment 'Name shown to patients',
    is_bookable_online tinyint(1) not null default 1 comment '1 if patients may book without a call; -1 is used for "ask first"',
    base_fee decimal(6, 2) not null comment 'Usual fee of a first visit, in US dollars',
    primary key (specialty_id),
    unique key specialties_code (code)
) engine = innodb default charset = utf8mb4
comment = 'Medical specialties a provider can have. A small lookup without a cursor';

create table providers (
    provider_id smallint unsigned not null auto_increment comment 'Number of the provider',
    specialty_id tinyint unsigned not null comment 'Main specialty',
    npi char(10) not null comment 'National Provider Identifier',
    first_name varchar(60) not null comment 'First name',
    last_name varchar(60) not null comment 'Last name',
    languages set('en', 'es', 'fr', 'zh', 'sign language') not null default 'en' comment 'Languages spoken with patients; may be empty',
    first_licensed_year year null comment 'Year of the first licence',
    hired_on date not null comment 'First day at the clinic',
    is_accepting_patients tinyint(1) not null default 1 comment '1 if new patients are taken',
    average_rating float null comment 'Mean of the patients'' ratings, 1 to 5',
    shift_starts time not null default '09:00:00' comment 'Start of the usual shift, in the time zone of the provider',
    service_area polygon null comment 'Area in which home visits are made, longitude and latitude',
    biography mediumtext null comment 'Text for the web site',
    portrait mediumblob null comment 'Small picture for the web site',
    created_at timestamp not null default current_timestamp comment 'When the row was made',
    updated_at timestamp not null default current_timestamp on update current_timestamp comment 'When the row was last changed',
    primary key (provider_id),
    unique key providers_npi (npi),
    key providers_updated_at (updated_at),
    constraint providers_specialty foreign key (specialty_id) references specialties (specialty_id)
) engine = innodb default charset = utf8mb4 comment = 'Doctors, nurses and therapists who see patients';

create table patients (
    patient_id int unsigned not null auto_increment comment 'Number of the patient',
    ssn char(11) null comment 'Social security number. PHI; must not leave this database',
    email varchar(254) null comment 'E-mail address. PHI; may leave only as a keyed hash',
    first_name varchar(100) not null comment 'First name. PHI',
    last_name varchar(100) not null comment 'Last name. PHI',
    birth_date date null comment 'Date of birth. PHI. Old imports hold 0000-00-00 for unknown and 1980-00-00 where only the year is known',
    sex enum('female', 'male', 'other', 'not said') null comment 'Sex as given by the patient',
    phone varchar(30) null comment 'Telephone number. PHI. Empty means: has none; NULL means: was not asked',
    country char(2) not null default 'US' comment 'Country of residence, ISO 3166',
    home_location point null comment 'Home, longitude and latitude. PHI',
    utc_offset_minutes smallint not null default 0 comment 'Distance of the patient''s clock from UTC, in minutes',
    risk_score tinyint null comment 'Result of the intake questionnaire, -128 to 127. PHI',
    external_id binary(16) null comment 'UUID of the patient in the partner''s records. PHI',
    preferences json null comment 'Settings of the patient''s app',
    consent_expires_at datetime(6) null comment 'When the consent to treatment ends, UTC; the end of time means: never',
    created_at timestamp(6) not null default current_timestamp(6) comment 'When the patient registered',
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6) comment 'When the row was last changed',
    primary key (patient_id),
    key patients_updated_at (updated_at)
) engine = innodb default charset = utf8mb4 comment = 'People who use the clinic. Holds PHI';

create table care_team (
    patient_id int unsigned not null comment 'The patient',
    provider_id smallint unsigned not null comment 'The provider',
    role enum('primary', 'consultant', 'nurse', 'back-up') not null comment 'What the provider does for the patient',
    priority tinyint not null default 0 comment 'Who is called first: higher comes earlier',
    effort_share decimal(5, 4) null comment 'Part of the patient''s care, 0 to 1',
    note tinytext null comment 'Remark for colleagues. PHI',
    since_date date not null comment 'First day in the team',
    updated_at datetime(3) not null default current_timestamp(3) on update current_timestamp(3) comment 'When the row was last changed, UTC',
    primary key (patient_id, provider_id),
    key care_team_provider (provider_id),
    key care_team_updated_at (updated_at),
    constraint care_team_patient foreign key (patient_id) references patients (patient_id),
    constraint care_team_provider foreign key (provider_id) references providers (provider_id)
) engine = innodb default charset = utf8mb4 comment = 'Which providers look after which patient';

create table appointments (
    appointment_id int unsigned not null auto_increment comment 'Number of the appointment',
    patient_id int unsigned not null comment 'Who is seen',
    provider_id smallint unsigned not null comment 'Who sees the patient',
    status enum('booked', 'completed', 'cancelled', 'no_show') not null default 'booked' comment 'State of the appointment',
    channel enum('video', 'phone', 'chat', 'in person') not null default 'video' comment 'How patient and provider meet',
    scheduled_at datetime not null comment 'Planned start, UTC',
    started_at datetime(6) null comment 'Actual start, UTC',
    ended_at datetime(6) null comment 'Actual end, UTC',
    cancelled_at datetime null comment 'When it was called off, UTC. The old booking system wrote 0000-00-00 00:00:00 for never',
    reminder_sent_at timestamp null comment 'When the patient was reminded. Zero in rows of the old booking system',
    waiting_time time null comment 'How long the patient waited; negative if seen early',
    connected_time time(6) null comment 'How long both were in the call',
    fee decimal(10, 2) not null default 0 comment 'Agreed fee, in US dollars',
    reason text null comment 'What the patient wrote when booking. PHI',
    room_key varbinary(32) null comment 'Key of the video room',
    created_at timestamp not null default current_timestamp comment 'When it was booked',
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6) comment 'When the row was last changed',
    primary key (appointment_id),
    key appointments_patient (patient_id),
    key appointments_provider (provider_id),
    key appointments_updated_at (updated_at),
    constraint appointments_patient foreign key (patient_id) references patients (patient_id),
    constraint appointments_provider foreign key (provider_id) references providers (provider_id)
) engine = innodb default charset = utf8mb4 comment = 'Visits, booked and past';

create table messages (
    message_id bigint unsigned not null auto_increment comment 'Number of the message',
    patient_id int unsigned not null comment 'The patient who wrote or is written to',
    provider_id smallint unsigned null comment 'The provider; NULL while nobody has taken the message',
    direction enum('from patient', 'to patient') not null comment 'Who wrote',
    status enum('open', 'answered', 'closed') not null default 'open' comment 'State of the conversation; nobody changes a closed message',
    subject varchar(120) not null default '' comment 'Subject line. PHI',
    body text not null comment 'Text of the message. PHI',
    attachment blob null comment 'A small picture or file. PHI',
    read_at timestamp null comment 'When the other side read it',
    created_at timestamp not null default current_timestamp comment 'When it was sent',
    updated_at timestamp not null default current_timestamp on update current_timestamp comment 'When the row was last changed',
    primary key (message_id),
    key messages_patient (patient_id),
    key messages_created_at (created_at),
    key messages_updated_at (updated_at)
) engine = innodb default charset = utf8mb4 comment = 'Secure messages between patients and providers. Large; old rows are of little use to the application';

create table audit_events (
    audit_event_id bigint not null auto_increment comment 'Number of the event',
    actor_kind enum('patient', 'provider', 'system') not null comment 'Who acted',
    actor_id int null comment 'Number of the patient or provider; NULL for the system',
    action varchar(40) not null comment 'What was done, such as record.view',
    status enum('new', 'reviewed', 'closed') not null default 'new' comment 'State of the compliance review',
    duration_us mediumint unsigned null comment 'Duration of the request in microseconds, at most 16777215',
    ip_address varbinary(16) null comment 'Address of the client, 4 or 16 bytes. PHI',
    details json null comment 'What was looked at or changed',
    created_at datetime(6) not null default current_timestamp(6) comment 'When it happened, UTC',
    updated_at datetime(3) not null default current_timestamp(3) on update current_timestamp(3) comment 'When the row was last changed, UTC',
    primary key (audit_event_id),
    key audit_events_created_at (created_at),
    key audit_events_updated_at (updated_at)
) engine = innodb default charset = utf8mb4 comment = 'Who did what in the application. Large; must be kept for years';

create table invoices (
    invoice_id int unsigned not null auto_increment comment 'Number of the invoice',
    patient_id int unsigned not null comment 'Who pays',
    appointment_id int unsigned null comment 'What is paid for; NULL for other services',
    status enum('draft', 'sent', 'paid', 'written off') not null default 'draft' comment 'State of the invoice',
    amount decimal(12, 2) not null comment 'Sum to pay, in US dollars',
    tax_rate decimal(7, 6) not null default 0 comment 'Part of the amount that is tax',
    amount_in_euro decimal(30, 10) null comment 'The amount at the rate of the day, unrounded',
    exchange_rate decimal(38, 18) null comment 'Euros for one US dollar on that day',
    token_amount decimal(65, 30) null comment 'The amount in the token of a payment experiment',
    due_date date null comment 'Last day to pay; 0000-00-00 for on demand',
    issued_at datetime(3) null comment 'When it was sent, UTC',
    created_at timestamp not null default current_timestamp comment 'When the row was made',
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6) comment 'When the row was last changed',
    primary key (invoice_id),
    key invoices_patient (patient_id),
    key invoices_appointment (appointment_id),
    key invoices_updated_at (updated_at),
    constraint invoices_patient foreign key (patient_id) references patients (patient_id),
    constraint invoices_appointment foreign key (appointment_id) references appointments (appointment_id)
) engine = innodb default charset = utf8mb4 comment = 'Invoices to patients';

create table payments (
    invoice_id int unsigned not null comment 'The invoice that is paid',
    payment_number tinyint unsigned not null comment 'First, second, … payment of the invoice',
    method enum('card', 'bank', 'cash', 'insurance') not null comment 'How it was paid',
    amount decimal(12, 2) not null comment 'Sum paid, in US dollars; negative for money paid back',
    processor_balance decimal(38, 10) null comment 'Balance with the payment processor afterwards',
    processor_reference varchar(64) not null comment 'Reference given by the payment processor',
    receipt tinyblob null comment 'Signature of the payment processor',
    paid_at timestamp(6) not null default current_timestamp(6) comment 'When the money arrived',
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6) comment 'When the row was last changed',
    primary key (invoice_id, payment_number),
    key payments_updated_at (updated_at),
    constraint payments_invoice foreign key (invoice_id) references invoices (invoice_id)
) engine = innodb default charset = utf8mb4 comment = 'Payments of invoices, one or several for each';

create table devices (
    device_id mediumint unsigned not null auto_increment comment 'Number of the device',
    serial_number varchar(40) not null comment 'Serial number as printed; some have trailing blanks',
    kind enum('watch', 'scale', 'glucose meter', 'blood pressure cuff') not null comment 'What it measures with',
    firmware binary(4) not null comment 'Version of the firmware, four bytes',
    is_enabled bit(1) not null default b'1' comment '1 if the device may send readings',
    capabilities bit(10) not null default b'0' comment 'One bit for each thing the device can do',
    register_mask bit(64) null comment 'Raw status register',
    calibration_offset mediumint not null default 0 comment 'Correction in thousandths of a unit',
    made_in_year year null comment 'Year of manufacture; 0000 if unknown',
    ships_to point null comment 'Where it was sent, longitude and latitude. PHI',
    retires_at datetime(6) null comment 'When it must be replaced, UTC; the end of time means: never',
    created_at datetime not null default current_timestamp comment 'When the row was made, UTC',
    updated_at datetime(3) not null default current_timestamp(3) on update current_timestamp(3) comment 'When the row was last changed, UTC',
    primary key (device_id),
    unique key devices_serial_number (serial_number),
    key devices_updated_at (updated_at)
) engine = innodb default charset = utf8mb4 comment = 'Devices lent to patients for use at home';

create table readings (
    reading_id bigint unsigned not null auto_increment comment 'Number of the reading',
    device_id mediumint unsigned not null comment 'The device that measured',
    patient_id int unsigned not null comment 'The patient who was measured',
    taken_at datetime(6) not null comment 'When it was measured, UTC',
    heart_rate tinyint unsigned null comment 'Beats per minute',
    temperature_delta smallint null comment 'Difference from 37 °C in hundredths of a degree',
    steps smallint unsigned null comment 'Steps since midnight, at most 65535',
    battery_change tinyint null comment 'Change of the battery level since the last reading, in percent',
    weight_kg float null comment 'Body weight',
    signal_level double null comment 'Power of the radio signal in watts; very small',
    device_clock bigint null comment 'Clock of the device in nanoseconds; negative before it was first set',
    device_counter bigint unsigned null comment 'Counter of the device; all bits set when it has failed',
    is_resting tinyint(1) null comment '1 if the patient rested',
    waveform varbinary(400) null comment 'Raw samples, one byte each',
    created_at timestamp not null default current_timestamp comment 'When the reading arrived',
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6) comment 'When the row was last changed',
    primary key (reading_id),
    key readings_device (device_id, taken_at),
    key readings_updated_at (updated_at),
    constraint readings_device foreign key (device_id) references devices (device_id),
    constraint readings_patient foreign key (patient_id) references patients (patient_id)
) engine = innodb default charset = utf8mb4 comment = 'What devices measured';

create table documents (
    document_id int not null auto_increment comment 'Number of the document',
    patient_id int unsigned not null comment 'Whom it is about',
    title varchar(200) not null comment 'Title. PHI',
    media_type varchar(60) not null default 'application/pdf' comment 'What the content is',
    page_count int unsigned null comment 'Pages; 4294967295 where the scanner could not count',
    revision int not null default 1 comment 'Version of the document; negative for drafts',
    thumbnail tinyblob null comment 'Very small picture of the first page. PHI',
    content longblob null comment 'The document. PHI',
    transcript longtext null comment 'Text found in the document. PHI',
    signed_at timestamp(6) null comment 'When the provider signed it',
    retain_until date null comment 'Must be kept at least until this day',
    created_at datetime not null default current_timestamp comment 'When the row was made, UTC',
    updated_at datetime(3) not null default current_timestamp(3) on update current_timestamp(3) comment 'When the row was last changed, UTC',
    primary key (document_id),
    key documents_patient (patient_id),
    key documents_updated_at (updated_at),
    constraint documents_patient foreign key (patient_id) references patients (patient_id)
) engine = innodb default charset = utf8mb4 comment = 'Letters, scans and reports';
