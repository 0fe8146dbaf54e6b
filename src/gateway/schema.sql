-- The schema of the city: the sum of src/gateway/migrations, as PostgreSQL's catalog has it.
-- Written by `make schema`, to be read and compared; the migrations are what is applied.

CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE SCHEMA kernel;
CREATE SCHEMA notifications;
CREATE SCHEMA appointments;
CREATE SCHEMA wallet;
CREATE SCHEMA gateway;

CREATE TABLE kernel.audit (
    bucket integer NOT NULL,
    entry_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    act text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (bucket, entry_id),
    CONSTRAINT audit_bucket_check CHECK (bucket >= 0 AND bucket <= 63)
);
CREATE INDEX audit_by_time ON kernel.audit USING btree (at DESC, entry_id DESC);
COMMENT ON TABLE kernel.audit IS 'Who did what to what, append-only. distribution: bucket';

CREATE TABLE kernel.idempotency (
    bucket integer NOT NULL,
    caller text NOT NULL,
    key text NOT NULL,
    body_digest bytea NOT NULL,
    answer bytea,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (bucket, caller, key),
    CONSTRAINT idempotency_bucket_check CHECK (bucket >= 0 AND bucket <= 63),
    CONSTRAINT idempotency_key_check CHECK (length(key) >= 1 AND length(key) <= 128)
);
CREATE INDEX idempotency_expiry ON kernel.idempotency USING btree (bucket, expires_at);
COMMENT ON TABLE kernel.idempotency IS 'First answers of retried writes, sealed, kept for a day. distribution: bucket';

CREATE TABLE kernel.migration (
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone NOT NULL,
    CONSTRAINT migration_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE kernel.migration IS 'Which migrations were applied. distribution: local';

CREATE TABLE kernel.person (
    person_id uuid NOT NULL,
    identity bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    is_named boolean DEFAULT true NOT NULL,
    CONSTRAINT person_pkey PRIMARY KEY (person_id)
);
COMMENT ON TABLE kernel.person IS 'A person and their sealed identity. distribution: person';

CREATE TABLE kernel.person_digest (
    id_digest bytea NOT NULL,
    person_id uuid NOT NULL,
    CONSTRAINT person_digest_pkey PRIMARY KEY (id_digest),
    CONSTRAINT person_digest_id_digest_check CHECK (length(id_digest) = 32)
);
COMMENT ON TABLE kernel.person_digest IS 'Whose ID number has this keyed digest. distribution: id_digest';

CREATE TABLE kernel.signing_key (
    key_id text NOT NULL,
    purpose text NOT NULL,
    algorithm text NOT NULL,
    public_jwk text NOT NULL,
    private_key bytea NOT NULL,
    announced_at timestamp with time zone NOT NULL,
    signs_from timestamp with time zone NOT NULL,
    signs_until timestamp with time zone NOT NULL,
    trusted_until timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    generation integer,
    CONSTRAINT signing_key_pkey PRIMARY KEY (key_id),
    CONSTRAINT announced_before_use CHECK (announced_at <= signs_from),
    CONSTRAINT signing_key_algorithm_check CHECK (algorithm = ANY (ARRAY['ES256'::text, 'EdDSA'::text])),
    CONSTRAINT signing_key_generation_check CHECK (generation >= 1),
    CONSTRAINT trusted_beyond_use CHECK (signs_from < signs_until AND signs_until <= trusted_until)
);
CREATE UNIQUE INDEX one_key_of_a_generation ON kernel.signing_key USING btree (purpose, generation);
COMMENT ON TABLE kernel.signing_key IS 'Signing keys, private half sealed. distribution: reference';

CREATE TABLE notifications.api_key (
    key_id uuid NOT NULL,
    service_id uuid NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    secret bytea NOT NULL,
    made_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT api_key_pkey PRIMARY KEY (key_id),
    CONSTRAINT api_key_kind_check CHECK (kind = ANY (ARRAY['live'::text, 'team'::text, 'test'::text])),
    CONSTRAINT api_key_name_check CHECK (length(name) >= 1 AND length(name) <= 60),
    CONSTRAINT api_key_number_check CHECK (number >= 1 AND number <= 10)
);
CREATE UNIQUE INDEX one_key_of_a_name ON notifications.api_key USING btree (service_id, name) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX ten_keys_of_a_service ON notifications.api_key USING btree (service_id, number) WHERE revoked_at IS NULL;
COMMENT ON TABLE notifications.api_key IS 'What a department''s programs prove themselves by; the secret sealed, for it is a key of an HMAC. distribution: reference';

CREATE TABLE notifications.attempt (
    bucket integer NOT NULL,
    message_id uuid NOT NULL,
    channel text NOT NULL,
    fence integer NOT NULL,
    provider text NOT NULL,
    may_repeat boolean NOT NULL,
    intended_at timestamp with time zone NOT NULL,
    outcome text,
    ended_at timestamp with time zone,
    provider_ref text,
    reason text,
    parts smallint DEFAULT 1 NOT NULL,
    told integer DEFAULT 0 NOT NULL,
    missed boolean DEFAULT false NOT NULL,
    CONSTRAINT attempt_pkey PRIMARY KEY (bucket, message_id, channel, fence),
    CONSTRAINT attempt_bucket_check CHECK (bucket >= 0 AND bucket <= 63),
    CONSTRAINT attempt_channel_check CHECK (channel = ANY (ARRAY['sms'::text, 'email'::text, 'subscribe'::text])),
    CONSTRAINT attempt_fence_check CHECK (fence >= 1),
    CONSTRAINT attempt_outcome_check CHECK (outcome = ANY (ARRAY['accepted'::text, 'rejected'::text, 'unknown'::text])),
    CONSTRAINT attempt_parts_check CHECK (parts >= 1 AND parts <= 31),
    CONSTRAINT attempt_provider_check CHECK (length(provider) <= 60),
    CONSTRAINT attempt_provider_ref_check CHECK (length(provider_ref) <= 200),
    CONSTRAINT attempt_reason_check CHECK (length(reason) <= 200),
    CONSTRAINT ended_with_an_outcome CHECK ((outcome IS NULL) = (ended_at IS NULL))
);
CREATE INDEX attempt_unknown ON notifications.attempt USING btree (bucket, intended_at) WHERE outcome = 'unknown'::text;
CREATE UNIQUE INDEX never_twice_on_ordinary_lanes ON notifications.attempt USING btree (bucket, message_id, channel) WHERE NOT may_repeat AND outcome IS DISTINCT FROM 'rejected'::text;
COMMENT ON TABLE notifications.attempt IS 'Every try at a delivery, written before anything is sent; without outcome: nobody knows yet. distribution: bucket';
COMMENT ON COLUMN notifications.attempt.parts IS 'How many SMS its text came to; 1 for whatever is no SMS.';
COMMENT ON COLUMN notifications.attempt.told IS 'Which parts of a long text arrived, a bit for each, counted from 0.';
COMMENT ON COLUMN notifications.attempt.missed IS 'A receipt said that it did not arrive.';

CREATE TABLE notifications.batch (
    batch_id uuid NOT NULL,
    department_id uuid NOT NULL,
    name text NOT NULL,
    text_id uuid NOT NULL,
    version smallint NOT NULL,
    lane smallint NOT NULL,
    kind text NOT NULL,
    language text NOT NULL,
    rows bigint,
    send_at timestamp with time zone,
    state text NOT NULL,
    is_settled boolean NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    touched_at timestamp with time zone NOT NULL,
    starts_at timestamp with time zone,
    resumed_at timestamp with time zone,
    ended_at timestamp with time zone,
    spans bigint[] NOT NULL,
    received bigint NOT NULL,
    refused bigint NOT NULL,
    fed bigint NOT NULL,
    fed_before bigint NOT NULL,
    withdrawn bigint NOT NULL,
    paused_for text,
    CONSTRAINT batch_pkey PRIMARY KEY (batch_id),
    CONSTRAINT batch_check CHECK (refused >= 0 AND refused <= received),
    CONSTRAINT batch_fed_before_check CHECK (fed_before >= 0),
    CONSTRAINT batch_fed_check CHECK (fed >= 0),
    CONSTRAINT batch_kind_check CHECK (kind = ANY (ARRAY['live'::text, 'team'::text, 'test'::text])),
    CONSTRAINT batch_lane_check CHECK (lane >= 0 AND lane <= 4),
    CONSTRAINT batch_language_check CHECK (language = ANY (ARRAY['zh'::text, 'en'::text])),
    CONSTRAINT batch_name_check CHECK (length(name) >= 1 AND length(name) <= 120),
    CONSTRAINT batch_paused_for_check CHECK (paused_for = ANY (ARRAY['text'::text, 'operator'::text])),
    CONSTRAINT batch_received_check CHECK (received >= 0),
    CONSTRAINT batch_rows_check CHECK (rows >= 1),
    CONSTRAINT batch_spans_check CHECK ((cardinality(spans) % 2) = 0),
    CONSTRAINT batch_state_check CHECK (state = ANY (ARRAY['open'::text, 'started'::text, 'paused'::text, 'cancelled'::text, 'finished'::text])),
    CONSTRAINT batch_version_check CHECK (version >= 1),
    CONSTRAINT batch_withdrawn_check CHECK (withdrawn >= 0),
    CONSTRAINT ended_at_an_hour CHECK ((ended_at IS NOT NULL) = (state = ANY (ARRAY['cancelled'::text, 'finished'::text]))),
    CONSTRAINT fed_was_taken CHECK (fed <= (received - refused)),
    CONSTRAINT finished_when_fed CHECK (state <> 'finished'::text OR fed = (received - refused)),
    CONSTRAINT started_at_an_hour CHECK (starts_at IS NULL OR state <> 'open'::text)
);
CREATE INDEX batch_left ON notifications.batch USING btree (touched_at) WHERE state = ANY (ARRAY['open'::text, 'paused'::text]);
CREATE INDEX batch_newest ON notifications.batch USING btree (opened_at DESC, batch_id DESC);
CREATE INDEX batch_of_department ON notifications.batch USING btree (department_id, opened_at DESC, batch_id DESC);
CREATE INDEX batch_started ON notifications.batch USING btree (starts_at) WHERE state = 'started'::text;
CREATE INDEX batch_unended ON notifications.batch USING btree (department_id) WHERE state = ANY (ARRAY['open'::text, 'started'::text, 'paused'::text]);
CREATE INDEX batch_unsettled ON notifications.batch USING btree (touched_at) WHERE NOT is_settled;
COMMENT ON TABLE notifications.batch IS 'One text to many: what a department said of it, which rows have come (spans: first, last, first, last …), how many were fed. is_settled: its state is carried out in every bucket. distribution: batch_id';
COMMENT ON COLUMN notifications.batch.received IS 'Rows that came. spans count blank lines too, which are neither taken nor refused.';
COMMENT ON COLUMN notifications.batch.paused_for IS 'Why it is paused, where not by its sender: its text is not approved any more, or an operator paused it.';

CREATE TABLE notifications.batch_refusal (
    batch_id uuid NOT NULL,
    number bigint NOT NULL,
    code text NOT NULL,
    detail text NOT NULL,
    field text,
    reference text,
    CONSTRAINT batch_refusal_pkey PRIMARY KEY (batch_id, number),
    CONSTRAINT batch_refusal_detail_check CHECK (length(detail) <= 200),
    CONSTRAINT batch_refusal_field_check CHECK (length(field) <= 60),
    CONSTRAINT batch_refusal_number_check CHECK (number >= 1),
    CONSTRAINT batch_refusal_reference_check CHECK (length(reference) <= 200)
);
COMMENT ON TABLE notifications.batch_refusal IS 'Rows of a batch that were refused, and why. distribution: batch_id';

CREATE TABLE notifications.batch_row (
    bucket integer NOT NULL,
    batch_id uuid NOT NULL,
    number bigint NOT NULL,
    message_id uuid NOT NULL,
    person_id uuid,
    address bytea,
    sealed_values bytea NOT NULL,
    reference text,
    ending text,
    CONSTRAINT batch_row_pkey PRIMARY KEY (bucket, batch_id, number),
    CONSTRAINT batch_row_bucket_check CHECK (bucket >= 0 AND bucket <= 63),
    CONSTRAINT batch_row_ending_check CHECK (ending = ANY (ARRAY['delivered'::text, 'expired'::text, 'undeliverable'::text])),
    CONSTRAINT batch_row_number_check CHECK (number >= 1),
    CONSTRAINT batch_row_reference_check CHECK (length(reference) >= 1 AND length(reference) <= 200),
    CONSTRAINT bucket_in_id CHECK ((get_byte(uuid_send(message_id), 15) & 63) = bucket),
    CONSTRAINT to_one_recipient CHECK (person_id IS NULL OR address IS NULL)
);
COMMENT ON TABLE notifications.batch_row IS 'A row of a batch until it is fed, sealed to its message; the bucket is of batch and number. distribution: bucket';

CREATE TABLE notifications.batch_tally (
    batch_id uuid NOT NULL,
    delivered bigint NOT NULL,
    failed bigint NOT NULL,
    unknown bigint NOT NULL,
    withdrawn bigint NOT NULL,
    CONSTRAINT batch_tally_pkey PRIMARY KEY (batch_id)
);
COMMENT ON TABLE notifications.batch_tally IS 'What became of the messages of a batch, as counted up to now; of those alone whom its sender named by number or address. distribution: batch_id';

CREATE TABLE notifications.callback_endpoint (
    endpoint_id uuid NOT NULL,
    service_id uuid NOT NULL,
    number integer NOT NULL,
    events text[] NOT NULL,
    sealed_target bytea NOT NULL,
    made_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    failing_since timestamp with time zone,
    disabled_at timestamp with time zone,
    disabled_for text,
    removed_at timestamp with time zone,
    CONSTRAINT callback_endpoint_pkey PRIMARY KEY (endpoint_id),
    CONSTRAINT callback_endpoint_disabled_for_check CHECK (disabled_for = ANY (ARRAY['failing'::text, 'gone'::text, 'operator'::text])),
    CONSTRAINT callback_endpoint_events_check CHECK (cardinality(events) > 0 AND events <@ ARRAY['message.delivered'::text, 'message.failed'::text, 'message.unknown'::text, 'text.received'::text, 'batch.finished'::text]),
    CONSTRAINT callback_endpoint_number_check CHECK (number >= 1 AND number <= 5),
    CONSTRAINT disabled_for_a_reason CHECK ((disabled_at IS NULL) = (disabled_for IS NULL))
);
CREATE UNIQUE INDEX five_endpoints_of_a_department ON notifications.callback_endpoint USING btree (service_id, number) WHERE removed_at IS NULL;
COMMENT ON TABLE notifications.callback_endpoint IS 'Where departments are called back; address and secrets sealed. Removed ones are deleted a day later. distribution: reference';

CREATE TABLE notifications.callback_event (
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    sealed_body bytea NOT NULL,
    made_at timestamp with time zone NOT NULL,
    stage text NOT NULL,
    tries integer NOT NULL,
    fence integer NOT NULL,
    next_at timestamp with time zone,
    give_up_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    reason text,
    CONSTRAINT callback_event_pkey PRIMARY KEY (endpoint_id, event_id),
    CONSTRAINT callback_event_fence_check CHECK (fence >= 0),
    CONSTRAINT callback_event_reason_check CHECK (length(reason) <= 200),
    CONSTRAINT callback_event_stage_check CHECK (stage = ANY (ARRAY['waiting'::text, 'sending'::text, 'told'::text, 'dead'::text])),
    CONSTRAINT callback_event_tries_check CHECK (tries >= 0),
    CONSTRAINT callback_event_type_check CHECK (length(type) <= 40),
    CONSTRAINT event_ended_when_not_open CHECK ((stage = ANY (ARRAY['told'::text, 'dead'::text])) = (ended_at IS NOT NULL)),
    CONSTRAINT open_event_is_looked_at CHECK ((stage = ANY (ARRAY['waiting'::text, 'sending'::text])) = (next_at IS NOT NULL))
);
CREATE INDEX callback_event_dead ON notifications.callback_event USING btree (endpoint_id, made_at) WHERE stage = 'dead'::text;
CREATE INDEX callback_event_given_up ON notifications.callback_event USING btree (endpoint_id, give_up_at) WHERE next_at IS NOT NULL;
CREATE INDEX callback_event_newest ON notifications.callback_event USING btree (endpoint_id, made_at DESC, event_id DESC);
CREATE INDEX callback_event_open ON notifications.callback_event USING btree (endpoint_id, next_at) WHERE next_at IS NOT NULL;
COMMENT ON TABLE notifications.callback_event IS 'What an endpoint is told, sealed; next_at: waiting, when to try; sending, when the lease ends. distribution: endpoint_id';

CREATE TABLE notifications.carried (
    bucket integer NOT NULL,
    provider text NOT NULL,
    provider_ref text NOT NULL,
    message_bucket integer NOT NULL,
    message_id uuid NOT NULL,
    fence integer NOT NULL,
    lane smallint NOT NULL,
    accepted_at timestamp with time zone NOT NULL,
    channel text DEFAULT 'sms'::text NOT NULL,
    part smallint DEFAULT 0 NOT NULL,
    parts smallint DEFAULT 1 NOT NULL,
    CONSTRAINT carried_pkey PRIMARY KEY (bucket, provider, provider_ref),
    CONSTRAINT carried_bucket_check CHECK (bucket >= 0 AND bucket <= 63),
    CONSTRAINT carried_channel_check CHECK (channel = ANY (ARRAY['sms'::text, 'email'::text, 'subscribe'::text])),
    CONSTRAINT carried_lane_check CHECK (lane >= 0 AND lane <= 4),
    CONSTRAINT carried_message_bucket_check CHECK (message_bucket >= 0 AND message_bucket <= 63),
    CONSTRAINT carried_provider_ref_check CHECK (length(provider_ref) >= 1 AND length(provider_ref) <= 200),
    CONSTRAINT part_of_parts CHECK (part >= 0 AND part < parts AND parts <= 31)
);
CREATE INDEX carried_by_time ON notifications.carried USING brin (accepted_at);
COMMENT ON TABLE notifications.carried IS 'Which attempt a provider means by its reference; the bucket is of provider and reference. distribution: bucket';

CREATE TABLE notifications.case_notice (
    case_digest bytea NOT NULL,
    kind text NOT NULL,
    number smallint NOT NULL,
    revision integer NOT NULL,
    content_digest bytea NOT NULL,
    message_id uuid NOT NULL,
    sealed_content bytea NOT NULL,
    told_number smallint,
    is_current boolean NOT NULL,
    told_at timestamp with time zone NOT NULL,
    CONSTRAINT case_notice_pkey PRIMARY KEY (case_digest, kind, number),
    CONSTRAINT said_once UNIQUE (case_digest, kind, content_digest),
    CONSTRAINT case_notice_check CHECK (told_number < number),
    CONSTRAINT case_notice_content_digest_check CHECK (length(content_digest) = 32),
    CONSTRAINT case_notice_kind_check CHECK (kind = ANY (ARRAY['supplement'::text, 'approval'::text, 'progress'::text, 'inspection_overdue'::text, 'violation'::text])),
    CONSTRAINT case_notice_number_check CHECK (number >= 1 AND number <= 50),
    CONSTRAINT case_notice_revision_check CHECK (revision >= 1)
);
CREATE INDEX case_notice_remembered ON notifications.case_notice USING btree (message_id) WHERE sealed_content <> '\x'::bytea;
CREATE UNIQUE INDEX one_current_notice_of_a_kind ON notifications.case_notice USING btree (case_digest, kind) WHERE is_current;
COMMENT ON TABLE notifications.case_notice IS 'What was told of a case, sealed; told_number is what the person had been told when it was written. distribution: case_digest';

CREATE TABLE notifications.consent (
    person_id uuid NOT NULL,
    consent_id uuid NOT NULL,
    sort text NOT NULL,
    channel text NOT NULL,
    is_given boolean NOT NULL,
    wording integer,
    told_by text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT consent_pkey PRIMARY KEY (person_id, consent_id),
    CONSTRAINT consent_channel_check CHECK (channel = ANY (ARRAY['sms'::text, 'email'::text, 'subscribe'::text])),
    CONSTRAINT consent_sort_check CHECK (sort = ANY (ARRAY['results'::text, 'reminders'::text, 'notices'::text, 'shown'::text])),
    CONSTRAINT consent_told_by_check CHECK (told_by = ANY (ARRAY['choice'::text, 'unsubscribe'::text, 'removal'::text, 'closing'::text])),
    CONSTRAINT consent_wording_check CHECK (wording >= 1),
    CONSTRAINT given_to_words CHECK (NOT is_given OR wording IS NOT NULL)
);
COMMENT ON TABLE notifications.consent IS 'What a person agreed to and took back, one row for each, append-only. distribution: person';

CREATE TABLE notifications.contact (
    person_id uuid NOT NULL,
    phone bytea,
    language text NOT NULL,
    sms_results boolean NOT NULL,
    sms_reminders boolean NOT NULL,
    sms_notices boolean NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    email bytea,
    email_confirmed_at timestamp with time zone,
    results_by text[] DEFAULT '{sms}'::text[] NOT NULL,
    reminders_by text[] DEFAULT '{sms}'::text[] NOT NULL,
    notices_by text[] DEFAULT '{sms}'::text[] NOT NULL,
    shown_by text[] DEFAULT '{}'::text[] NOT NULL,
    has_quiet_hours boolean DEFAULT true NOT NULL,
    CONSTRAINT contact_pkey PRIMARY KEY (person_id),
    CONSTRAINT confirmed_if_filed CHECK ((email IS NULL) = (email_confirmed_at IS NULL)),
    CONSTRAINT contact_language_check CHECK (language = ANY (ARRAY['zh'::text, 'en'::text])),
    CONSTRAINT notices_by_known CHECK (notices_by <@ ARRAY['sms'::text, 'email'::text, 'subscribe'::text]),
    CONSTRAINT reminders_by_known CHECK (reminders_by <@ ARRAY['sms'::text, 'email'::text, 'subscribe'::text]),
    CONSTRAINT results_by_known CHECK (results_by <@ ARRAY['sms'::text, 'email'::text, 'subscribe'::text]),
    CONSTRAINT shown_by_known CHECK (shown_by <@ ARRAY['sms'::text, 'email'::text, 'subscribe'::text])
);
COMMENT ON TABLE notifications.contact IS 'How a person wants to be reached; the phone sealed. distribution: person';

CREATE TABLE notifications.delivery (
    bucket integer NOT NULL,
    message_id uuid NOT NULL,
    channel text NOT NULL,
    lane smallint NOT NULL,
    stage text NOT NULL,
    fence integer NOT NULL,
    next_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    reason text,
    fallback text[],
    counted text,
    batch_id uuid,
    CONSTRAINT delivery_pkey PRIMARY KEY (bucket, message_id, channel),
    CONSTRAINT delivery_bucket_check CHECK (bucket >= 0 AND bucket <= 63),
    CONSTRAINT delivery_channel_check CHECK (channel = ANY (ARRAY['inbox'::text, 'sms'::text, 'email'::text, 'subscribe'::text])),
    CONSTRAINT delivery_counted_check CHECK (length(counted) <= 20),
    CONSTRAINT delivery_fallback_check CHECK (fallback <@ ARRAY['sms'::text, 'email'::text]),
    CONSTRAINT delivery_fence_check CHECK (fence >= 0),
    CONSTRAINT delivery_lane_check CHECK (lane >= 0 AND lane <= 4),
    CONSTRAINT delivery_reason_check CHECK (length(reason) <= 200),
    CONSTRAINT delivery_stage_check CHECK (stage = ANY (ARRAY['waiting'::text, 'sending'::text, 'accepted'::text, 'delivered'::text, 'expired'::text, 'withdrawn'::text, 'undeliverable'::text, 'unknown'::text])),
    CONSTRAINT ended_when_not_open CHECK ((stage = ANY (ARRAY['waiting'::text, 'sending'::text, 'accepted'::text])) = (ended_at IS NULL)),
    CONSTRAINT open_is_looked_at CHECK ((stage = ANY (ARRAY['waiting'::text, 'sending'::text, 'accepted'::text])) = (next_at IS NOT NULL))
);
CREATE INDEX delivery_alerted ON notifications.delivery USING btree (stage, ended_at) WHERE stage = ANY (ARRAY['undeliverable'::text, 'unknown'::text]);
CREATE INDEX delivery_open ON notifications.delivery USING btree (bucket, stage, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX delivery_uncounted ON notifications.delivery USING btree (bucket) WHERE ended_at IS NOT NULL AND counted IS DISTINCT FROM stage;
CREATE INDEX delivery_waiting ON notifications.delivery USING btree (bucket, lane, next_at) WHERE stage = 'waiting'::text;
CREATE INDEX delivery_waiting_of_batch ON notifications.delivery USING btree (batch_id, bucket) WHERE stage = 'waiting'::text AND batch_id IS NOT NULL;
COMMENT ON TABLE notifications.delivery IS 'A message on one channel. next_at: waiting, when to try; sending, when the lease ends; accepted, until when a receipt is awaited. distribution: bucket';
COMMENT ON COLUMN notifications.delivery.fallback IS 'The channels that take over when this one certainly fails.';
COMMENT ON COLUMN notifications.delivery.batch_id IS 'The batch that its message is of.';

CREATE TABLE notifications.demo_sms (
    phone_digest bytea NOT NULL,
    sms_id uuid NOT NULL,
    reference text NOT NULL,
    shown bytea NOT NULL,
    shown_at timestamp with time zone NOT NULL,
    receipted_at timestamp with time zone,
    CONSTRAINT demo_sms_pkey PRIMARY KEY (phone_digest, sms_id),
    CONSTRAINT shown_once UNIQUE (phone_digest, reference),
    CONSTRAINT demo_sms_phone_digest_check CHECK (length(phone_digest) = 32)
);
CREATE INDEX demo_sms_newest ON notifications.demo_sms USING btree (shown_at DESC, sms_id DESC);
CREATE INDEX demo_sms_unreceipted ON notifications.demo_sms USING btree (shown_at) WHERE receipted_at IS NULL;
COMMENT ON TABLE notifications.demo_sms IS 'SMS the demo carrier shows instead of sending, sealed. distribution: phone_digest';

CREATE TABLE notifications.department_text (
    text_id uuid NOT NULL,
    department_id uuid NOT NULL,
    sort text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    archived_at timestamp with time zone,
    CONSTRAINT department_text_pkey PRIMARY KEY (text_id),
    CONSTRAINT department_text_sort_check CHECK (sort = ANY (ARRAY['sms'::text, 'email'::text, 'notice'::text]))
);
CREATE INDEX text_of_department ON notifications.department_text USING btree (department_id, text_id);
COMMENT ON TABLE notifications.department_text IS 'Texts that departments write; their words are in versions. distribution: reference';

CREATE TABLE notifications.department_text_version (
    text_id uuid NOT NULL,
    version smallint NOT NULL,
    revision integer NOT NULL,
    content json NOT NULL,
    provider_ids json NOT NULL,
    state text NOT NULL,
    written_at timestamp with time zone NOT NULL,
    submitted_at timestamp with time zone,
    approved_at timestamp with time zone,
    ended_at timestamp with time zone,
    decided_by text,
    reason text,
    CONSTRAINT department_text_version_pkey PRIMARY KEY (text_id, version),
    CONSTRAINT approved_at_an_hour CHECK (approved_at IS NOT NULL OR state <> 'approved'::text),
    CONSTRAINT department_text_version_decided_by_check CHECK (length(decided_by) <= 128),
    CONSTRAINT department_text_version_reason_check CHECK (length(reason) <= 400),
    CONSTRAINT department_text_version_revision_check CHECK (revision >= 1),
    CONSTRAINT department_text_version_state_check CHECK (state = ANY (ARRAY['draft'::text, 'submitted'::text, 'approved'::text, 'rejected'::text, 'withdrawn'::text])),
    CONSTRAINT department_text_version_version_check CHECK (version >= 1 AND version <= 200),
    CONSTRAINT ended_at_an_hour CHECK ((ended_at IS NOT NULL) = (state = ANY (ARRAY['rejected'::text, 'withdrawn'::text]))),
    CONSTRAINT never_approved_when_rejected CHECK (approved_at IS NULL OR (state = ANY (ARRAY['approved'::text, 'withdrawn'::text]))),
    CONSTRAINT rejected_for_a_reason CHECK (reason IS NOT NULL OR state <> 'rejected'::text),
    CONSTRAINT seen_before_it_is_decided CHECK ((state = ANY (ARRAY['draft'::text, 'withdrawn'::text])) OR submitted_at IS NOT NULL)
);
CREATE UNIQUE INDEX one_open_version_of_a_text ON notifications.department_text_version USING btree (text_id) WHERE state = ANY (ARRAY['draft'::text, 'submitted'::text]);
CREATE INDEX text_version_in_state ON notifications.department_text_version USING btree (state, text_id, version);
COMMENT ON TABLE notifications.department_text_version IS 'What a text says, version by version; what was approved once is never written again. distribution: reference';

CREATE TABLE notifications.email_challenge (
    person_id uuid NOT NULL,
    challenge_id uuid NOT NULL,
    email bytea NOT NULL,
    code_digest bytea NOT NULL,
    attempts integer NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT email_challenge_pkey PRIMARY KEY (person_id),
    CONSTRAINT email_challenge_attempts_check CHECK (attempts >= 0),
    CONSTRAINT email_challenge_code_digest_check CHECK (length(code_digest) = 32)
);
CREATE INDEX email_challenge_expiry ON notifications.email_challenge USING btree (expires_at);
COMMENT ON TABLE notifications.email_challenge IS 'An e-mail address that is to be confirmed by a code sent to it, sealed. distribution: person';

CREATE TABLE notifications.forgetting (
    bucket integer NOT NULL,
    days smallint NOT NULL,
    reached uuid NOT NULL,
    CONSTRAINT forgetting_pkey PRIMARY KEY (bucket, days),
    CONSTRAINT forgetting_bucket_check CHECK (bucket >= 0 AND bucket <= 63)
);
COMMENT ON TABLE notifications.forgetting IS 'Up to which message of a bucket those kept for so many days were looked at. distribution: bucket';

CREATE TABLE notifications.inbox_item (
    person_id uuid NOT NULL,
    message_id uuid NOT NULL,
    template text NOT NULL,
    version smallint NOT NULL,
    sealed_values bytea NOT NULL,
    arrived_at timestamp with time zone NOT NULL,
    read_at timestamp with time zone,
    CONSTRAINT inbox_item_pkey PRIMARY KEY (person_id, message_id)
);
CREATE INDEX inbox_newest_first ON notifications.inbox_item USING btree (person_id, arrived_at DESC, message_id DESC);
CREATE INDEX inbox_unread ON notifications.inbox_item USING btree (person_id) WHERE read_at IS NULL;
COMMENT ON TABLE notifications.inbox_item IS 'What a person finds in their inbox, values sealed to the row. distribution: person';

CREATE TABLE notifications.keeping (
    caller text NOT NULL,
    days smallint NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT keeping_pkey PRIMARY KEY (caller),
    CONSTRAINT keeping_caller_check CHECK (length(caller) >= 1 AND length(caller) <= 128),
    CONSTRAINT keeping_days_check CHECK (days >= 1 AND days <= 3650)
);
COMMENT ON TABLE notifications.keeping IS 'For how many days after it was due what a message says, and to whom, is kept, where its sender chose. distribution: caller';

CREATE TABLE notifications.last_told (
    phone_digest bytea NOT NULL,
    caller text NOT NULL,
    message_bucket integer NOT NULL,
    message_id uuid NOT NULL,
    template text NOT NULL,
    told_at timestamp with time zone NOT NULL,
    optional_at timestamp with time zone,
    CONSTRAINT last_told_pkey PRIMARY KEY (phone_digest, caller),
    CONSTRAINT last_told_caller_check CHECK (length(caller) >= 1 AND length(caller) <= 128),
    CONSTRAINT last_told_message_bucket_check CHECK (message_bucket >= 0 AND message_bucket <= 63),
    CONSTRAINT last_told_phone_digest_check CHECK (length(phone_digest) = 32)
);
CREATE INDEX last_told_by_time ON notifications.last_told USING btree (told_at);
COMMENT ON TABLE notifications.last_told IS 'The newest message of each caller to a number that may be answered by a text. distribution: phone_digest';

CREATE TABLE notifications.message (
    bucket integer NOT NULL,
    message_id uuid NOT NULL,
    caller text NOT NULL,
    key text NOT NULL,
    person_id uuid,
    address bytea,
    template text NOT NULL,
    version smallint NOT NULL,
    lane smallint NOT NULL,
    sealed_values bytea NOT NULL,
    owed_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    stage text NOT NULL,
    batch_id uuid,
    forgotten_at timestamp with time zone,
    withdrawn_at timestamp with time zone,
    CONSTRAINT message_pkey PRIMARY KEY (bucket, message_id),
    CONSTRAINT one_message_of_a_promise UNIQUE (bucket, caller, key),
    CONSTRAINT bucket_in_id CHECK ((get_byte(uuid_send(message_id), 15) & 63) = bucket),
    CONSTRAINT message_bucket_check CHECK (bucket >= 0 AND bucket <= 63),
    CONSTRAINT message_caller_check CHECK (length(caller) >= 1 AND length(caller) <= 128),
    CONSTRAINT message_key_check CHECK (length(key) >= 1 AND length(key) <= 200),
    CONSTRAINT message_lane_check CHECK (lane >= 0 AND lane <= 4),
    CONSTRAINT message_stage_check CHECK (stage = ANY (ARRAY['owed'::text, 'routed'::text, 'withdrawn'::text, 'unsendable'::text])),
    CONSTRAINT to_one_recipient CHECK (person_id IS NULL OR address IS NULL)
);
CREATE INDEX message_due ON notifications.message USING btree (bucket, lane, due_at) WHERE stage = 'owed'::text;
CREATE INDEX message_owed_of_batch ON notifications.message USING btree (batch_id, bucket) WHERE stage = 'owed'::text AND batch_id IS NOT NULL;
CREATE INDEX message_unsendable ON notifications.message USING btree (owed_at) WHERE stage = 'unsendable'::text;
COMMENT ON TABLE notifications.message IS 'What is owed to somebody, values sealed to the row. distribution: bucket';
COMMENT ON COLUMN notifications.message.withdrawn_at IS 'When it was taken back, of one that had become deliveries: no further try is made at any of them.';

CREATE TABLE notifications.not_forgotten (
    bucket integer NOT NULL,
    message_id uuid NOT NULL,
    look_at timestamp with time zone NOT NULL,
    CONSTRAINT not_forgotten_pkey PRIMARY KEY (bucket, message_id),
    CONSTRAINT not_forgotten_bucket_check CHECK (bucket >= 0 AND bucket <= 63)
);
CREATE INDEX not_forgotten_due ON notifications.not_forgotten USING btree (bucket, look_at);
COMMENT ON TABLE notifications.not_forgotten IS 'Messages that had not ended when they were looked at, and when to look again. distribution: bucket';

CREATE TABLE notifications.opt_out (
    place_digest bytea NOT NULL,
    caller text NOT NULL,
    since timestamp with time zone NOT NULL,
    CONSTRAINT opt_out_pkey PRIMARY KEY (place_digest, caller),
    CONSTRAINT opt_out_caller_check CHECK (length(caller) >= 1 AND length(caller) <= 128),
    CONSTRAINT opt_out_place_digest_check CHECK (length(place_digest) = 32)
);
COMMENT ON TABLE notifications.opt_out IS 'Of whom a number or an address wants no reminders and bulk messages; the caller * is everybody. distribution: place_digest';

CREATE TABLE notifications.opt_out_change (
    place_digest bytea NOT NULL,
    change_id uuid NOT NULL,
    caller text NOT NULL,
    is_out boolean NOT NULL,
    source text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT opt_out_change_pkey PRIMARY KEY (place_digest, change_id),
    CONSTRAINT opt_out_change_caller_check CHECK (length(caller) >= 1 AND length(caller) <= 128),
    CONSTRAINT opt_out_change_place_digest_check CHECK (length(place_digest) = 32),
    CONSTRAINT opt_out_change_source_check CHECK (source = ANY (ARRAY['text'::text, 'app'::text, 'link'::text, 'operator'::text]))
);
COMMENT ON TABLE notifications.opt_out_change IS 'Every change of what a number or an address wants, and how it was said, append-only. distribution: place_digest';

CREATE TABLE notifications.receipt (
    bucket integer NOT NULL,
    receipt_id uuid NOT NULL,
    provider text NOT NULL,
    provider_ref text NOT NULL,
    reading text NOT NULL,
    raw bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    joined_at timestamp with time zone,
    message_id uuid,
    user_reference integer,
    number_digest bytea,
    CONSTRAINT receipt_pkey PRIMARY KEY (bucket, receipt_id),
    CONSTRAINT receipt_bucket_check CHECK (bucket >= 0 AND bucket <= 63),
    CONSTRAINT receipt_number_digest_check CHECK (length(number_digest) = 32),
    CONSTRAINT receipt_provider_check CHECK (length(provider) <= 60),
    CONSTRAINT receipt_provider_ref_check CHECK (length(provider_ref) >= 1 AND length(provider_ref) <= 200),
    CONSTRAINT receipt_reading_check CHECK (reading = ANY (ARRAY['delivered'::text, 'undelivered'::text, 'underway'::text])),
    CONSTRAINT receipt_user_reference_check CHECK (user_reference >= 0 AND user_reference <= 65535)
);
CREATE INDEX receipt_unjoined ON notifications.receipt USING btree (bucket, received_at) WHERE joined_at IS NULL;
COMMENT ON TABLE notifications.receipt IS 'What providers say, sealed as it came, joined to its attempt later; the bucket is of provider and reference. distribution: bucket';
COMMENT ON COLUMN notifications.receipt.message_id IS 'Our own reference, where the provider repeats it whole.';
COMMENT ON COLUMN notifications.receipt.user_reference IS 'Its 16 bits, where that is all a provider repeats.';

CREATE TABLE notifications.received_text (
    phone_digest bytea NOT NULL,
    text_id uuid NOT NULL,
    provider text NOT NULL,
    provider_ref text NOT NULL,
    sealed_text bytea,
    received_at timestamp with time zone NOT NULL,
    stage text NOT NULL,
    meaning text,
    outcome text,
    service_id uuid,
    handled_at timestamp with time zone,
    failures smallint DEFAULT 0 NOT NULL,
    put_aside_until timestamp with time zone,
    CONSTRAINT received_text_pkey PRIMARY KEY (phone_digest, text_id),
    CONSTRAINT received_once UNIQUE (phone_digest, provider, provider_ref),
    CONSTRAINT handled_as_something CHECK ((stage = 'handled'::text) = (handled_at IS NOT NULL) AND (stage = 'handled'::text) = (meaning IS NOT NULL) AND (stage = 'handled'::text) = (outcome IS NOT NULL)),
    CONSTRAINT kept_or_passed_on CHECK ((sealed_text IS NULL) = (NOT outcome IS DISTINCT FROM 'passed_on'::text)),
    CONSTRAINT received_text_failures_check CHECK (failures >= 0),
    CONSTRAINT received_text_meaning_check CHECK (meaning = ANY (ARRAY['opt_out'::text, 'opt_out_of_all'::text, 'opt_in'::text, 'confirm'::text, 'other'::text])),
    CONSTRAINT received_text_outcome_check CHECK (outcome = ANY (ARRAY['opted_out'::text, 'opted_in'::text, 'confirmed'::text, 'not_possible'::text, 'passed_on'::text, 'kept'::text, 'failed'::text])),
    CONSTRAINT received_text_phone_digest_check CHECK (length(phone_digest) = 32),
    CONSTRAINT received_text_provider_check CHECK (length(provider) <= 60),
    CONSTRAINT received_text_provider_ref_check CHECK (length(provider_ref) >= 1 AND length(provider_ref) <= 200),
    CONSTRAINT received_text_stage_check CHECK (stage = ANY (ARRAY['waiting'::text, 'handled'::text]))
);
CREATE INDEX received_text_by_time ON notifications.received_text USING btree (received_at);
CREATE INDEX received_text_waiting ON notifications.received_text USING btree (received_at) WHERE stage = 'waiting'::text;
COMMENT ON TABLE notifications.received_text IS 'What people wrote to our numbers, sealed as it came, handled later. distribution: phone_digest';

CREATE TABLE notifications.rehearsal (
    bucket integer NOT NULL,
    message_id uuid NOT NULL,
    caller text NOT NULL,
    channel text NOT NULL,
    ending text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    withdrawn boolean DEFAULT false NOT NULL,
    CONSTRAINT rehearsal_pkey PRIMARY KEY (bucket, message_id),
    CONSTRAINT rehearsal_bucket_check CHECK (bucket >= 0 AND bucket <= 63),
    CONSTRAINT rehearsal_channel_check CHECK (channel = ANY (ARRAY['inbox'::text, 'sms'::text, 'email'::text])),
    CONSTRAINT rehearsal_check CHECK (ended_at IS NOT NULL OR NOT withdrawn),
    CONSTRAINT rehearsal_ending_check CHECK (ending = ANY (ARRAY['delivered'::text, 'expired'::text, 'undeliverable'::text]))
);
CREATE INDEX rehearsal_due ON notifications.rehearsal USING btree (bucket, due_at) WHERE ended_at IS NULL;
COMMENT ON TABLE notifications.rehearsal IS 'Messages that no carrier is given, and how each is to end: those of test keys, and those to simulated recipients. distribution: bucket';

CREATE TABLE notifications.request (
    service_id uuid NOT NULL,
    message_id uuid NOT NULL,
    channel text NOT NULL,
    template text NOT NULL,
    version smallint NOT NULL,
    reference text,
    kind text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    send_at timestamp with time zone NOT NULL,
    batch_id uuid,
    asked bytea,
    CONSTRAINT request_pkey PRIMARY KEY (service_id, message_id),
    CONSTRAINT request_asked_check CHECK (length(asked) = 32),
    CONSTRAINT request_channel_check CHECK (channel = ANY (ARRAY['inbox'::text, 'sms'::text, 'email'::text])),
    CONSTRAINT request_kind_check CHECK (kind = ANY (ARRAY['live'::text, 'team'::text, 'test'::text])),
    CONSTRAINT request_reference_check CHECK (octet_length(reference) >= 1 AND octet_length(reference) <= 1000)
);
CREATE INDEX request_by_reference ON notifications.request USING btree (service_id, reference, message_id) WHERE reference IS NOT NULL;
CREATE INDEX request_single ON notifications.request USING btree (service_id, kind, message_id) WHERE batch_id IS NULL;
COMMENT ON TABLE notifications.request IS 'Which messages a service asked for; asked is the keyed digest of the body, where it came under a key to be retried with. distribution: service_id';

CREATE TABLE notifications.said (
    digest bytea NOT NULL,
    said_at timestamp with time zone NOT NULL,
    message_id uuid,
    CONSTRAINT said_pkey PRIMARY KEY (digest),
    CONSTRAINT said_digest_check CHECK (length(digest) = 16)
);
CREATE INDEX said_by_time ON notifications.said USING btree (said_at);
COMMENT ON TABLE notifications.said IS 'What a department said to a number in the last minutes, by a keyed digest of who, to whom and what. distribution: digest';
COMMENT ON COLUMN notifications.said.message_id IS 'The message it was said in.';

CREATE TABLE notifications.sent_count (
    caller text NOT NULL,
    day date NOT NULL,
    template text NOT NULL,
    version smallint NOT NULL,
    channel text NOT NULL,
    is_direct boolean NOT NULL,
    accepted bigint NOT NULL,
    delivered bigint NOT NULL,
    failed bigint NOT NULL,
    unknown bigint NOT NULL,
    withdrawn bigint NOT NULL,
    segments bigint NOT NULL,
    CONSTRAINT sent_count_pkey PRIMARY KEY (caller, day, template, version, channel, is_direct),
    CONSTRAINT sent_count_caller_check CHECK (length(caller) >= 1 AND length(caller) <= 128),
    CONSTRAINT sent_count_channel_check CHECK (length(channel) <= 20)
);
CREATE INDEX sent_count_of_days ON notifications.sent_count USING btree (day);
COMMENT ON TABLE notifications.sent_count IS 'How many messages of a day were taken, and what became of them, by who sent them, text and channel. is_direct: the sender named a number or an address, and may be told. distribution: caller';

CREATE TABLE notifications.service (
    service_id uuid NOT NULL,
    per_minute integer NOT NULL,
    per_day integer NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT service_pkey PRIMARY KEY (service_id),
    CONSTRAINT service_per_day_check CHECK (per_day >= 0 AND per_day <= 100000000),
    CONSTRAINT service_per_minute_check CHECK (per_minute >= 1 AND per_minute <= 1000000)
);
COMMENT ON TABLE notifications.service IS 'How much a department may send, a minute with each kind of key and a day altogether; its id is the department''s. distribution: reference';

CREATE TABLE notifications.service_day (
    service_id uuid NOT NULL,
    day date NOT NULL,
    process_id uuid NOT NULL,
    accepted integer NOT NULL,
    CONSTRAINT service_day_pkey PRIMARY KEY (service_id, day, process_id),
    CONSTRAINT service_day_accepted_check CHECK (accepted >= 0)
);
CREATE INDEX service_day_by_day ON notifications.service_day USING btree (day);
COMMENT ON TABLE notifications.service_day IS 'How many messages of a service each process accepted on a day of the city, written every few seconds. distribution: service_id';

CREATE TABLE notifications.service_text (
    service_id uuid NOT NULL,
    text_id uuid NOT NULL,
    sealed_text bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT service_text_pkey PRIMARY KEY (service_id, text_id)
);
CREATE INDEX service_text_by_time ON notifications.service_text USING btree (received_at);
COMMENT ON TABLE notifications.service_text IS 'What people wrote in answer to a department''s messages, sealed. distribution: service_id';

CREATE TABLE notifications.subscribe_grant (
    person_id uuid NOT NULL,
    tap_id uuid NOT NULL,
    provider_template text NOT NULL,
    openid bytea NOT NULL,
    is_long_term boolean NOT NULL,
    granted_at timestamp with time zone NOT NULL,
    used_by uuid,
    used_at timestamp with time zone,
    voided_at timestamp with time zone,
    CONSTRAINT subscribe_grant_pkey PRIMARY KEY (person_id, tap_id, provider_template),
    CONSTRAINT long_term_is_not_used_up CHECK (NOT is_long_term OR used_by IS NULL),
    CONSTRAINT subscribe_grant_provider_template_check CHECK (length(provider_template) >= 1 AND length(provider_template) <= 128),
    CONSTRAINT used_at_an_hour CHECK ((used_by IS NULL) = (used_at IS NULL))
);
CREATE INDEX subscribe_grant_left ON notifications.subscribe_grant USING btree (person_id, provider_template, granted_at) WHERE used_by IS NULL AND voided_at IS NULL;
CREATE INDEX subscribe_grant_used ON notifications.subscribe_grant USING btree (used_at) WHERE used_at IS NOT NULL;
CREATE INDEX subscribe_grant_voided ON notifications.subscribe_grant USING btree (voided_at) WHERE voided_at IS NOT NULL;
COMMENT ON TABLE notifications.subscribe_grant IS 'Grants of subscribe messages and which message used each, the openid sealed to the row. distribution: person';

CREATE TABLE notifications.taken_tally (
    caller text NOT NULL,
    tally_id uuid NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    day date NOT NULL,
    template text NOT NULL,
    version smallint NOT NULL,
    channel text NOT NULL,
    is_direct boolean NOT NULL,
    count integer NOT NULL,
    CONSTRAINT taken_tally_pkey PRIMARY KEY (caller, tally_id),
    CONSTRAINT taken_tally_caller_check CHECK (length(caller) >= 1 AND length(caller) <= 128),
    CONSTRAINT taken_tally_channel_check CHECK (length(channel) <= 20),
    CONSTRAINT taken_tally_count_check CHECK (count >= 1)
);
CREATE INDEX taken_tally_oldest ON notifications.taken_tally USING btree (taken_at);
COMMENT ON TABLE notifications.taken_tally IS 'Messages taken together, until they are added to those of their day: written where no row may be hot. distribution: caller';

CREATE TABLE notifications.team_member (
    service_id uuid NOT NULL,
    recipient_digest bytea NOT NULL,
    recipient bytea NOT NULL,
    added_at timestamp with time zone NOT NULL,
    CONSTRAINT team_member_pkey PRIMARY KEY (service_id, recipient_digest),
    CONSTRAINT team_member_recipient_digest_check CHECK (length(recipient_digest) = 32)
);
COMMENT ON TABLE notifications.team_member IS 'Whom a team key may send to: numbers and addresses of the department''s own people, sealed. distribution: service_id';

CREATE TABLE notifications.told_case (
    case_digest bytea NOT NULL,
    holder_digest bytea NOT NULL,
    told_at timestamp with time zone NOT NULL,
    CONSTRAINT told_case_pkey PRIMARY KEY (case_digest),
    CONSTRAINT told_case_case_digest_check CHECK (length(case_digest) = 32),
    CONSTRAINT told_case_holder_digest_check CHECK (length(holder_digest) = 32)
);
CREATE INDEX told_case_by_time ON notifications.told_case USING btree (told_at);
COMMENT ON TABLE notifications.told_case IS 'Cases that departments told people of: department and reference as a keyed digest, and whose case it is. distribution: case_digest';

CREATE TABLE appointments.acknowledgement (
    person_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    version integer NOT NULL,
    acknowledged_at timestamp with time zone NOT NULL,
    CONSTRAINT acknowledgement_pkey PRIMARY KEY (person_id, booking_id, version),
    CONSTRAINT acknowledgement_version_check CHECK (version >= 1)
);
COMMENT ON TABLE appointments.acknowledgement IS 'A person answered a reminder of a booking: they will come. One for each hour that the booking had. distribution: person';

CREATE TABLE appointments.answers (
    person_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    sealed bytea NOT NULL,
    CONSTRAINT answers_pkey PRIMARY KEY (person_id, booking_id)
);
COMMENT ON TABLE appointments.answers IS 'What a person answered when booking, sealed. distribution: person';

CREATE TABLE appointments.booking (
    person_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    asked_slot_id uuid NOT NULL,
    slot_id uuid NOT NULL,
    seq integer NOT NULL,
    service_id uuid NOT NULL,
    office_id uuid NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    stage text NOT NULL,
    version integer NOT NULL,
    cancellable_until timestamp with time zone NOT NULL,
    remind_at timestamp with time zone,
    reminded_version integer DEFAULT 0 NOT NULL,
    booked_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    checked_in_at timestamp with time zone,
    lane text DEFAULT 'normal'::text NOT NULL,
    nth integer,
    channel text DEFAULT 'app'::text NOT NULL,
    agent_id uuid,
    mandate_id uuid,
    ended_by text,
    served_at timestamp with time zone,
    CONSTRAINT booking_pkey PRIMARY KEY (person_id, booking_id),
    CONSTRAINT nobody_in_two_places EXCLUDE USING gist (person_id WITH =, tstzrange(starts_at, ends_at) WITH &&) WHERE (stage = ANY (ARRAY['booked'::text, 'checked_in'::text])),
    CONSTRAINT an_agent_has_a_mandate CHECK ((agent_id IS NULL) = (mandate_id IS NULL)),
    CONSTRAINT booking_channel_check CHECK (channel = ANY (ARRAY['app'::text, 'mini'::text, 'desk'::text, 'waiting_list'::text, 'moved_by_office'::text])),
    CONSTRAINT booking_ended_by_check CHECK (ended_by = ANY (ARRAY['person'::text, 'office'::text, 'clock'::text])),
    CONSTRAINT booking_lane_check CHECK (lane = ANY (ARRAY['normal'::text, 'deferred'::text, 'urgent'::text, 'special'::text])),
    CONSTRAINT booking_nth_check CHECK (nth >= 1 AND nth <= 100),
    CONSTRAINT booking_seq_check CHECK (seq >= 1),
    CONSTRAINT booking_stage_check CHECK (stage = ANY (ARRAY['booked'::text, 'cancelled'::text, 'checked_in'::text, 'served'::text, 'missed'::text])),
    CONSTRAINT booking_version_check CHECK (version >= 1),
    CONSTRAINT checked_in_at_an_hour CHECK ((stage = ANY (ARRAY['checked_in'::text, 'served'::text])) = (checked_in_at IS NOT NULL)),
    CONSTRAINT ends_after_it_starts CHECK (starts_at < ends_at),
    CONSTRAINT reminded_of_a_version_there_was CHECK (reminded_version >= 0 AND reminded_version <= version),
    CONSTRAINT served_at_an_hour CHECK ((stage = 'served'::text) = (served_at IS NOT NULL))
);
CREATE INDEX booking_at_an_office ON appointments.booking USING btree (office_id, starts_at, seq);
CREATE INDEX booking_by_agent ON appointments.booking USING btree (agent_id, starts_at) WHERE agent_id IS NOT NULL;
CREATE INDEX booking_in_a_slot ON appointments.booking USING btree (slot_id, seq);
CREATE INDEX booking_moved_away ON appointments.booking USING btree (asked_slot_id) WHERE asked_slot_id <> slot_id;
CREATE UNIQUE INDEX one_booking_of_a_number ON appointments.booking USING btree (person_id, nth) WHERE stage = 'booked'::text;
CREATE UNIQUE INDEX one_booking_of_a_service ON appointments.booking USING btree (person_id, service_id) WHERE stage = 'booked'::text;
COMMENT ON TABLE appointments.booking IS 'Who comes where and when. distribution: person';

CREATE TABLE appointments.calendar_day (
    day date NOT NULL,
    sort text NOT NULL,
    as_weekday integer,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    source text NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT calendar_day_pkey PRIMARY KEY (day),
    CONSTRAINT a_makeup_day_keeps_some_hours CHECK ((sort = 'makeup'::text) = (as_weekday IS NOT NULL)),
    CONSTRAINT calendar_day_as_weekday_check CHECK (as_weekday >= 0 AND as_weekday <= 6),
    CONSTRAINT calendar_day_name_en_check CHECK (length(name_en) <= 160),
    CONSTRAINT calendar_day_name_zh_check CHECK (length(name_zh) <= 80),
    CONSTRAINT calendar_day_sort_check CHECK (sort = ANY (ARRAY['holiday'::text, 'makeup'::text, 'ordinary'::text])),
    CONSTRAINT calendar_day_source_check CHECK (source = ANY (ARRAY['library'::text, 'operator'::text]))
);
COMMENT ON TABLE appointments.calendar_day IS 'Days that are not what their weekday says; the operator owns them. distribution: reference';

CREATE TABLE appointments.calendar_year (
    year integer NOT NULL,
    source text NOT NULL,
    filled_at timestamp with time zone NOT NULL,
    CONSTRAINT calendar_year_pkey PRIMARY KEY (year),
    CONSTRAINT calendar_year_source_check CHECK (source = ANY (ARRAY['library'::text, 'operator'::text])),
    CONSTRAINT calendar_year_year_check CHECK (year >= 2000 AND year <= 2200)
);
COMMENT ON TABLE appointments.calendar_year IS 'Years whose holidays are known, and from whom. distribution: reference';

CREATE TABLE appointments.counter (
    office_id uuid NOT NULL,
    number integer NOT NULL,
    service_ids uuid[] NOT NULL,
    staff_id uuid,
    opened_at timestamp with time zone,
    ticket_id uuid,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT counter_pkey PRIMARY KEY (office_id, number),
    CONSTRAINT counter_number_check CHECK (number >= 1 AND number <= 999),
    CONSTRAINT open_with_somebody CHECK ((staff_id IS NULL) = (opened_at IS NULL))
);
CREATE UNIQUE INDEX one_counter_for_a_clerk ON appointments.counter USING btree (office_id, staff_id) WHERE staff_id IS NOT NULL;
COMMENT ON TABLE appointments.counter IS 'Windows of an office, who sits there and for what. distribution: office_id';

CREATE TABLE appointments.due (
    bucket integer NOT NULL,
    person_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    version integer NOT NULL,
    what text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT due_pkey PRIMARY KEY (bucket, person_id, booking_id, version),
    CONSTRAINT due_bucket_check CHECK (bucket >= 0 AND bucket <= 63),
    CONSTRAINT due_what_check CHECK (what = ANY (ARRAY['remind'::text, 'remind_soon'::text, 'close'::text, 'ask'::text]))
);
CREATE INDEX due_by_hour ON appointments.due USING btree (bucket, what, at);
COMMENT ON TABLE appointments.due IS 'What a version of a booking still has before it, and when. distribution: bucket';

CREATE TABLE appointments.feed (
    feed_digest bytea NOT NULL,
    person_id uuid NOT NULL,
    made_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT feed_pkey PRIMARY KEY (feed_digest)
);
CREATE INDEX feed_of_person ON appointments.feed USING btree (person_id);
COMMENT ON TABLE appointments.feed IS 'Calendar subscriptions of a person. distribution: feed_digest';

CREATE TABLE appointments.feed_number (
    person_id uuid NOT NULL,
    number integer NOT NULL,
    feed_digest bytea NOT NULL,
    CONSTRAINT feed_number_pkey PRIMARY KEY (person_id, number),
    CONSTRAINT feed_number_number_check CHECK (number >= 1 AND number <= 5)
);
COMMENT ON TABLE appointments.feed_number IS 'Which calendar subscriptions of a person stand. distribution: person';

CREATE TABLE appointments.hold (
    person_id uuid NOT NULL,
    service_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    slot_id uuid NOT NULL,
    seq integer NOT NULL,
    hold_until timestamp with time zone NOT NULL,
    waiting_id uuid,
    held_at timestamp with time zone NOT NULL,
    CONSTRAINT hold_pkey PRIMARY KEY (person_id, service_id)
);
CREATE INDEX hold_by_end ON appointments.hold USING btree (hold_until);
COMMENT ON TABLE appointments.hold IS 'A place kept for a person for some minutes: chosen, or offered from the waiting list. distribution: person';

CREATE TABLE appointments.office (
    office_id uuid NOT NULL,
    slug text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    district text NOT NULL,
    address text NOT NULL,
    phone text NOT NULL,
    latitude double precision,
    longitude double precision,
    CONSTRAINT office_pkey PRIMARY KEY (office_id),
    CONSTRAINT office_slug_key UNIQUE (slug),
    CONSTRAINT a_whole_position CHECK ((latitude IS NULL) = (longitude IS NULL)),
    CONSTRAINT office_district_check CHECK (district ~ '^[0-9]{6}$'::text),
    CONSTRAINT office_latitude_check CHECK (latitude >= '-90'::integer::double precision AND latitude <= 90::double precision),
    CONSTRAINT office_longitude_check CHECK (longitude >= '-180'::integer::double precision AND longitude <= 180::double precision),
    CONSTRAINT office_name_en_check CHECK (length(name_en) >= 1 AND length(name_en) <= 160),
    CONSTRAINT office_name_zh_check CHECK (length(name_zh) >= 1 AND length(name_zh) <= 80),
    CONSTRAINT office_slug_check CHECK (length(slug) >= 1 AND length(slug) <= 64)
);
COMMENT ON TABLE appointments.office IS 'Where people come to. distribution: reference';

CREATE TABLE appointments.office_service (
    office_id uuid NOT NULL,
    service_id uuid NOT NULL,
    slot_minutes integer NOT NULL,
    places integer NOT NULL,
    openings jsonb NOT NULL,
    offered_until date,
    lanes jsonb DEFAULT '{}'::jsonb NOT NULL,
    open_on_holidays boolean DEFAULT false NOT NULL,
    rules_version integer DEFAULT 1 NOT NULL,
    CONSTRAINT office_service_pkey PRIMARY KEY (office_id, service_id),
    CONSTRAINT office_service_lanes_check CHECK (jsonb_typeof(lanes) = 'object'::text),
    CONSTRAINT office_service_openings_check CHECK (jsonb_typeof(openings) = 'array'::text),
    CONSTRAINT office_service_places_check CHECK (places >= 1 AND places <= 10000),
    CONSTRAINT office_service_slot_minutes_check CHECK (slot_minutes >= 5 AND slot_minutes <= 480)
);
COMMENT ON TABLE appointments.office_service IS 'Weekly hours of a desk, and the day until which its slots exist. distribution: reference';

CREATE TABLE appointments.place (
    slot_id uuid NOT NULL,
    seq integer NOT NULL,
    person_id uuid,
    booking_id uuid,
    hold_until timestamp with time zone,
    CONSTRAINT place_pkey PRIMARY KEY (slot_id, seq),
    CONSTRAINT one_place_of_a_slot UNIQUE (slot_id, person_id, booking_id),
    CONSTRAINT held_by_somebody CHECK (hold_until IS NULL OR booking_id IS NOT NULL),
    CONSTRAINT place_seq_check CHECK (seq >= 1),
    CONSTRAINT taken_by_somebody CHECK ((booking_id IS NULL) = (person_id IS NULL))
);
CREATE INDEX place_to_claim ON appointments.place USING btree (slot_id, seq) WHERE booking_id IS NULL OR hold_until IS NOT NULL;
COMMENT ON TABLE appointments.place IS 'The capacity of a slot, one row a place. distribution: slot';

CREATE TABLE appointments.rating (
    person_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    office_id uuid NOT NULL,
    stars integer NOT NULL,
    comment bytea,
    rated_at timestamp with time zone NOT NULL,
    CONSTRAINT rating_pkey PRIMARY KEY (person_id, booking_id),
    CONSTRAINT rating_stars_check CHECK (stars >= 1 AND stars <= 5)
);
CREATE INDEX rating_of_office ON appointments.rating USING btree (office_id, rated_at);
COMMENT ON TABLE appointments.rating IS 'How a visit was (好差评); the comment sealed. distribution: person';

CREATE TABLE appointments.result (
    person_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    outcome text NOT NULL,
    note bytea,
    told_at timestamp with time zone NOT NULL,
    CONSTRAINT result_pkey PRIMARY KEY (person_id, booking_id),
    CONSTRAINT result_outcome_check CHECK (outcome = ANY (ARRAY['done'::text, 'supplement'::text, 'refused'::text]))
);
COMMENT ON TABLE appointments.result IS 'What a visit came to; the note sealed. distribution: person';

CREATE TABLE appointments.rule (
    rule_id uuid NOT NULL,
    office_id uuid NOT NULL,
    service_id uuid,
    sort text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    openings jsonb DEFAULT '[]'::jsonb NOT NULL,
    reason_zh text NOT NULL,
    reason_en text NOT NULL,
    made_by text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    withdrawn_at timestamp with time zone,
    CONSTRAINT rule_pkey PRIMARY KEY (rule_id),
    CONSTRAINT ends_after_it_begins CHECK (first_day <= last_day),
    CONSTRAINT rule_openings_check CHECK (jsonb_typeof(openings) = 'array'::text),
    CONSTRAINT rule_reason_en_check CHECK (length(reason_en) <= 400),
    CONSTRAINT rule_reason_zh_check CHECK (length(reason_zh) <= 200),
    CONSTRAINT rule_sort_check CHECK (sort = ANY (ARRAY['season'::text, 'hours'::text, 'closed'::text]))
);
CREATE INDEX rule_of_office ON appointments.rule USING btree (office_id, first_day) WHERE withdrawn_at IS NULL;
COMMENT ON TABLE appointments.rule IS 'Seasons, other hours and closed days of an office. distribution: reference';

CREATE TABLE appointments.service (
    service_id uuid NOT NULL,
    slug text NOT NULL,
    department text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    bring_zh text NOT NULL,
    bring_en text NOT NULL,
    sort text DEFAULT 'counter'::text NOT NULL,
    questions jsonb DEFAULT '[]'::jsonb NOT NULL,
    lead_minutes integer DEFAULT 0 NOT NULL,
    horizon_days integer DEFAULT 14 NOT NULL,
    release_minute integer DEFAULT 0 NOT NULL,
    cancel_minutes integer DEFAULT 120 NOT NULL,
    is_gated boolean DEFAULT false NOT NULL,
    is_for_others boolean DEFAULT true NOT NULL,
    CONSTRAINT service_pkey PRIMARY KEY (service_id),
    CONSTRAINT service_slug_key UNIQUE (slug),
    CONSTRAINT service_bring_en_check CHECK (length(bring_en) <= 400),
    CONSTRAINT service_bring_zh_check CHECK (length(bring_zh) <= 200),
    CONSTRAINT service_cancel_minutes_check CHECK (cancel_minutes >= 0 AND cancel_minutes <= 43200),
    CONSTRAINT service_horizon_days_check CHECK (horizon_days >= 0 AND horizon_days <= 180),
    CONSTRAINT service_lead_minutes_check CHECK (lead_minutes >= 0 AND lead_minutes <= 43200),
    CONSTRAINT service_name_en_check CHECK (length(name_en) >= 1 AND length(name_en) <= 160),
    CONSTRAINT service_name_zh_check CHECK (length(name_zh) >= 1 AND length(name_zh) <= 80),
    CONSTRAINT service_questions_check CHECK (jsonb_typeof(questions) = 'array'::text),
    CONSTRAINT service_release_minute_check CHECK (release_minute >= 0 AND release_minute <= 1439),
    CONSTRAINT service_slug_check CHECK (length(slug) >= 1 AND length(slug) <= 64),
    CONSTRAINT service_sort_check CHECK (sort = ANY (ARRAY['counter'::text, 'trip'::text, 'sitting'::text]))
);
COMMENT ON TABLE appointments.service IS 'What people come for, and what they must bring. distribution: reference';

CREATE TABLE appointments.slot (
    slot_id uuid NOT NULL,
    office_id uuid NOT NULL,
    service_id uuid NOT NULL,
    district text NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    places integer NOT NULL,
    lane text DEFAULT 'normal'::text NOT NULL,
    day_part integer DEFAULT 0 NOT NULL,
    opens_at timestamp with time zone,
    closes_at timestamp with time zone,
    is_gated boolean DEFAULT false NOT NULL,
    ref text DEFAULT ''::text NOT NULL,
    detail jsonb,
    withdrawn_at timestamp with time zone,
    is_planned boolean DEFAULT true NOT NULL,
    CONSTRAINT slot_pkey PRIMARY KEY (slot_id),
    CONSTRAINT ends_after_it_starts CHECK (starts_at < ends_at),
    CONSTRAINT slot_day_part_check CHECK (day_part >= 0 AND day_part <= 2),
    CONSTRAINT slot_lane_check CHECK (lane = ANY (ARRAY['normal'::text, 'deferred'::text, 'urgent'::text, 'special'::text])),
    CONSTRAINT slot_places_check CHECK (places >= 0 AND places <= 10000 AND (places > 0 OR withdrawn_at IS NOT NULL)),
    CONSTRAINT slot_ref_check CHECK (length(ref) <= 64)
);
CREATE INDEX slot_at_an_office ON appointments.slot USING btree (office_id, service_id, starts_at, slot_id);
CREATE INDEX slot_by_release ON appointments.slot USING btree (starts_at, opens_at, service_id) WHERE is_gated;
CREATE INDEX slot_by_service ON appointments.slot USING btree (service_id, starts_at, slot_id);
CREATE INDEX slot_by_service_and_district ON appointments.slot USING btree (service_id, district, starts_at, slot_id);
CREATE INDEX slot_of_lane ON appointments.slot USING btree (service_id, lane, starts_at, slot_id) WHERE lane <> 'normal'::text;
COMMENT ON TABLE appointments.slot IS 'An hour at a desk that can be booked. distribution: slot';

CREATE TABLE appointments.strike (
    person_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    strike_id uuid NOT NULL,
    service_id uuid NOT NULL,
    office_id uuid NOT NULL,
    struck_at timestamp with time zone NOT NULL,
    stage text NOT NULL,
    appeal bytea,
    appealed_at timestamp with time zone,
    decided_at timestamp with time zone,
    decided_by text,
    CONSTRAINT strike_pkey PRIMARY KEY (person_id, booking_id),
    CONSTRAINT appealed_in_words CHECK ((appeal IS NULL) = (appealed_at IS NULL) AND (stage <> 'standing'::text OR appeal IS NULL) AND ((stage <> ALL (ARRAY['appealed'::text, 'upheld'::text])) OR appeal IS NOT NULL)),
    CONSTRAINT decided_by_somebody CHECK ((stage = ANY (ARRAY['waived'::text, 'upheld'::text])) = (decided_by IS NOT NULL AND decided_at IS NOT NULL)),
    CONSTRAINT strike_stage_check CHECK (stage = ANY (ARRAY['standing'::text, 'appealed'::text, 'waived'::text, 'upheld'::text]))
);
CREATE INDEX strike_appealed ON appointments.strike USING btree (office_id, appealed_at, strike_id) WHERE stage = 'appealed'::text;
CREATE INDEX strike_by_its_id ON appointments.strike USING btree (office_id, strike_id);
COMMENT ON TABLE appointments.strike IS 'Bookings nobody came to, and what was said about that. distribution: person';

CREATE TABLE appointments.suspension (
    person_id uuid NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    lifted_at timestamp with time zone,
    CONSTRAINT suspension_pkey PRIMARY KEY (person_id)
);
COMMENT ON TABLE appointments.suspension IS 'Who may not book until when, for not coming too often. distribution: person';

CREATE TABLE appointments.ticket (
    office_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    day date NOT NULL,
    series text NOT NULL,
    number integer NOT NULL,
    lane text NOT NULL,
    service_id uuid NOT NULL,
    person_id uuid,
    booking_id uuid,
    stage text NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    rank_at timestamp with time zone NOT NULL,
    counter integer,
    for_counter integer,
    calls integer DEFAULT 0 NOT NULL,
    called_at timestamp with time zone,
    first_called_at timestamp with time zone,
    served_from timestamp with time zone,
    ended_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT ticket_pkey PRIMARY KEY (office_id, ticket_id),
    CONSTRAINT one_number_a_day UNIQUE (office_id, day, series, number),
    CONSTRAINT a_booking_has_a_person CHECK (booking_id IS NULL OR person_id IS NOT NULL),
    CONSTRAINT at_a_counter CHECK ((stage <> ALL (ARRAY['called'::text, 'serving'::text])) OR counter IS NOT NULL),
    CONSTRAINT called_before_served CHECK ((stage = ANY (ARRAY['waiting'::text, 'left'::text, 'unfinished'::text])) OR called_at IS NOT NULL AND calls >= 1),
    CONSTRAINT called_from_the_first CHECK ((called_at IS NULL) = (first_called_at IS NULL)),
    CONSTRAINT ended_at_an_hour CHECK ((stage = ANY (ARRAY['done'::text, 'missed'::text, 'left'::text, 'unfinished'::text])) = (ended_at IS NOT NULL)),
    CONSTRAINT served_from_an_hour CHECK (stage = 'unfinished'::text OR (stage = ANY (ARRAY['serving'::text, 'done'::text])) = (served_from IS NOT NULL)),
    CONSTRAINT ticket_lane_check CHECK (lane = ANY (ARRAY['walk_in'::text, 'booked'::text, 'urgent'::text, 'special'::text])),
    CONSTRAINT ticket_number_check CHECK (number >= 1),
    CONSTRAINT ticket_stage_check CHECK (stage = ANY (ARRAY['waiting'::text, 'called'::text, 'serving'::text, 'done'::text, 'missed'::text, 'left'::text, 'unfinished'::text])),
    CONSTRAINT waits_at_no_counter CHECK ((stage <> ALL (ARRAY['waiting'::text, 'left'::text])) OR counter IS NULL)
);
CREATE UNIQUE INDEX one_ticket_at_a_counter ON appointments.ticket USING btree (office_id, day, counter) WHERE stage = ANY (ARRAY['called'::text, 'serving'::text]);
CREATE UNIQUE INDEX one_ticket_for_a_booking ON appointments.ticket USING btree (office_id, person_id, booking_id) WHERE booking_id IS NOT NULL;
CREATE INDEX ticket_in_turn ON appointments.ticket USING btree (office_id, day, lane, rank_at, taken_at, number) WHERE stage = 'waiting'::text;
CREATE INDEX ticket_not_ended ON appointments.ticket USING btree (day, office_id) WHERE stage = ANY (ARRAY['waiting'::text, 'called'::text, 'serving'::text]);
CREATE INDEX ticket_of_person ON appointments.ticket USING btree (person_id, day) WHERE person_id IS NOT NULL;
COMMENT ON TABLE appointments.ticket IS 'Queue numbers of an office: who waits, who is at which counter. distribution: office_id';

CREATE TABLE appointments.ticket_series (
    office_id uuid NOT NULL,
    day date NOT NULL,
    series text NOT NULL,
    last integer NOT NULL,
    CONSTRAINT ticket_series_pkey PRIMARY KEY (office_id, day, series),
    CONSTRAINT ticket_series_last_check CHECK (last >= 1),
    CONSTRAINT ticket_series_series_check CHECK (series ~ '^[A-Z]{1,2}$'::text)
);
COMMENT ON TABLE appointments.ticket_series IS 'The last number given out in a lane today. distribution: office_id';

CREATE TABLE appointments.waiting (
    service_id uuid NOT NULL,
    waiting_id uuid NOT NULL,
    person_id uuid NOT NULL,
    office_id uuid,
    district text,
    lane text DEFAULT 'normal'::text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    day_part integer,
    stage text NOT NULL,
    joined_at timestamp with time zone NOT NULL,
    offers integer DEFAULT 0 NOT NULL,
    slot_id uuid,
    seq integer,
    booking_id uuid,
    offered_until timestamp with time zone,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT waiting_pkey PRIMARY KEY (service_id, waiting_id),
    CONSTRAINT a_place_of_a_slot CHECK ((slot_id IS NULL) = (seq IS NULL) AND (slot_id IS NULL) = (booking_id IS NULL)),
    CONSTRAINT ends_after_it_begins CHECK (first_day <= last_day),
    CONSTRAINT offered_a_place CHECK ((stage = 'offered'::text) = (offered_until IS NOT NULL)),
    CONSTRAINT waiting_day_part_check CHECK (day_part >= 0 AND day_part <= 2),
    CONSTRAINT waiting_district_check CHECK (district ~ '^[0-9]{6}$'::text),
    CONSTRAINT waiting_lane_check CHECK (lane = ANY (ARRAY['normal'::text, 'deferred'::text, 'urgent'::text, 'special'::text])),
    CONSTRAINT waiting_stage_check CHECK (stage = ANY (ARRAY['waiting'::text, 'offered'::text, 'taken'::text, 'left'::text, 'lapsed'::text]))
);
CREATE INDEX waiting_for_an_answer ON appointments.waiting USING btree (offered_until) WHERE stage = 'offered'::text;
CREATE INDEX waiting_in_turn ON appointments.waiting USING btree (service_id, joined_at, waiting_id) WHERE stage = 'waiting'::text;
CREATE INDEX waiting_of_person ON appointments.waiting USING btree (person_id, joined_at);
CREATE UNIQUE INDEX waiting_once_for_a_service ON appointments.waiting USING btree (service_id, person_id) WHERE stage = ANY (ARRAY['waiting'::text, 'offered'::text]);
CREATE INDEX waiting_until ON appointments.waiting USING btree (last_day) WHERE stage = 'waiting'::text;
COMMENT ON TABLE appointments.waiting IS 'Who waits for a place of a service, and what they were offered. distribution: service_id';

CREATE TABLE wallet.ask (
    ask_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    venue_id uuid NOT NULL,
    device_id uuid NOT NULL,
    scenario_code text NOT NULL,
    scenario_edition smallint NOT NULL,
    kind_codes text[] NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    answered_at timestamp with time zone,
    person_id uuid,
    certificate_id uuid,
    fields text[],
    CONSTRAINT ask_pkey PRIMARY KEY (ask_id),
    CONSTRAINT answered_by_somebody CHECK ((state = 'answered'::text) = (person_id IS NOT NULL) AND (person_id IS NULL) = (certificate_id IS NULL) AND (person_id IS NULL) = (fields IS NULL)),
    CONSTRAINT ask_code_hash_check CHECK (length(code_hash) = 32),
    CONSTRAINT ask_kind_codes_check CHECK (cardinality(kind_codes) >= 1),
    CONSTRAINT ask_state_check CHECK (state = ANY (ARRAY['waiting'::text, 'answered'::text, 'declined'::text])),
    CONSTRAINT expires_after_asked CHECK (asked_at < expires_at),
    CONSTRAINT waiting_until_answered CHECK ((state = 'waiting'::text) = (answered_at IS NULL))
);
COMMENT ON TABLE wallet.ask IS 'A venue''s request that one resident answers by scanning its code. distribution: ask_id';

CREATE TABLE wallet.certificate (
    person_id uuid NOT NULL,
    certificate_id uuid NOT NULL,
    issuer_code text NOT NULL,
    kind_code text NOT NULL,
    version smallint NOT NULL,
    state text NOT NULL,
    last_change smallint NOT NULL,
    is_of_last boolean DEFAULT true NOT NULL,
    valid_from date NOT NULL,
    valid_until date,
    issued_at timestamp with time zone NOT NULL,
    attributes bytea NOT NULL,
    status_list integer,
    status_index integer,
    CONSTRAINT certificate_pkey PRIMARY KEY (person_id, certificate_id),
    CONSTRAINT a_place_has_two_parts CHECK ((status_list IS NULL) = (status_index IS NULL)),
    CONSTRAINT certificate_is_of_last_check CHECK (is_of_last),
    CONSTRAINT certificate_version_check CHECK (version >= 1 AND version <= 999),
    CONSTRAINT valid_from_before_until CHECK (valid_until IS NULL OR valid_from <= valid_until)
);
CREATE INDEX certificate_by_end ON wallet.certificate USING btree (valid_until, person_id, certificate_id) WHERE state = 'issued'::text AND valid_until IS NOT NULL;
COMMENT ON TABLE wallet.certificate IS 'One version of a certificate; values and identifier sealed, never updated. distribution: person';

CREATE TABLE wallet.certificate_change (
    person_id uuid NOT NULL,
    certificate_id uuid NOT NULL,
    seq smallint NOT NULL,
    to_state text NOT NULL,
    is_last boolean NOT NULL,
    from_seq smallint,
    from_state text,
    had_successor boolean,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT certificate_change_pkey PRIMARY KEY (person_id, certificate_id, seq),
    CONSTRAINT change_as_it_stands UNIQUE (person_id, certificate_id, seq, to_state, is_last),
    CONSTRAINT certificate_change_had_successor_check CHECK (NOT had_successor),
    CONSTRAINT certificate_change_seq_check CHECK (seq >= 1),
    CONSTRAINT certificate_change_to_state_check CHECK (to_state = ANY (ARRAY['issued'::text, 'suspended'::text, 'revoked'::text, 'superseded'::text])),
    CONSTRAINT change_is_allowed CHECK (
CASE
    WHEN seq = 1 THEN from_seq IS NULL AND from_state IS NULL AND had_successor IS NULL AND to_state = 'issued'::text
    ELSE from_seq IS NOT NULL AND from_seq = (seq - 1) AND from_state IS NOT NULL AND had_successor IS NOT NULL AND (from_state = 'issued'::text AND to_state = 'suspended'::text OR from_state = 'suspended'::text AND to_state = 'issued'::text OR from_state = 'issued'::text AND to_state = 'revoked'::text OR from_state = 'suspended'::text AND to_state = 'revoked'::text OR from_state = 'issued'::text AND to_state = 'superseded'::text OR from_state = 'suspended'::text AND to_state = 'superseded'::text)
END)
);
COMMENT ON TABLE wallet.certificate_change IS 'Every step of a certificate''s life, who took it and why. distribution: person';

CREATE TABLE wallet.certificate_holder (
    certificate_id uuid NOT NULL,
    issuer_code text NOT NULL,
    person_id uuid NOT NULL,
    CONSTRAINT certificate_holder_pkey PRIMARY KEY (certificate_id)
);
COMMENT ON TABLE wallet.certificate_holder IS 'Whose certificate this is, for its issuer. distribution: certificate_id';

CREATE TABLE wallet.device (
    device_id uuid NOT NULL,
    venue_id uuid NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    withdrawn_at timestamp with time zone,
    CONSTRAINT device_pkey PRIMARY KEY (device_id)
);
COMMENT ON TABLE wallet.device IS 'Scanners and counters of a venue. distribution: reference';

CREATE TABLE wallet.expiry_round (
    valid_until date NOT NULL,
    days smallint NOT NULL,
    person_id uuid NOT NULL,
    certificate_id uuid NOT NULL,
    is_done boolean NOT NULL,
    CONSTRAINT expiry_round_pkey PRIMARY KEY (valid_until, days),
    CONSTRAINT expiry_round_days_check CHECK (days >= 1 AND days <= 365)
);
COMMENT ON TABLE wallet.expiry_round IS 'Up to which certificate the holders of those that end on a day have been told. distribution: local';

CREATE TABLE wallet.finding (
    venue_id uuid NOT NULL,
    finding_id uuid NOT NULL,
    sort text NOT NULL,
    device_id uuid NOT NULL,
    use_id uuid NOT NULL,
    scenario_code text NOT NULL,
    scanned_at timestamp with time zone NOT NULL,
    found_at timestamp with time zone NOT NULL,
    CONSTRAINT finding_pkey PRIMARY KEY (venue_id, finding_id),
    CONSTRAINT finding_sort_check CHECK (sort = ANY (ARRAY['double_use'::text, 'late_revocation'::text, 'late_suspension'::text, 'mandate_ended'::text, 'wrong_scenario'::text, 'verdict_differs'::text]))
);
COMMENT ON TABLE wallet.finding IS 'What was found out later about a scan made without network. distribution: venue_id';

CREATE TABLE wallet.foreign_use (
    code_hash bytea NOT NULL,
    device_id uuid NOT NULL,
    use_id uuid NOT NULL,
    used_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT foreign_use_pkey PRIMARY KEY (code_hash),
    CONSTRAINT foreign_use_code_hash_check CHECK (length(code_hash) = 32)
);
CREATE INDEX foreign_use_by_end ON wallet.foreign_use USING btree (expires_at);
COMMENT ON TABLE wallet.foreign_use IS 'Codes of other cities that were accepted here, kept until nobody accepts them any more. distribution: code_hash';

CREATE TABLE wallet.identifier (
    identifier_digest bytea NOT NULL,
    person_id uuid NOT NULL,
    certificate_id uuid NOT NULL,
    CONSTRAINT identifier_pkey PRIMARY KEY (identifier_digest),
    CONSTRAINT identifier_identifier_digest_check CHECK (length(identifier_digest) = 32)
);
COMMENT ON TABLE wallet.identifier IS 'Which certificate has the GB/T 36904 identifier with this keyed digest. distribution: identifier_digest';

CREATE TABLE wallet.issuer (
    issuer_code text NOT NULL,
    department_id uuid NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    sort text DEFAULT 'department'::text NOT NULL,
    accredited_until date,
    CONSTRAINT issuer_pkey PRIMARY KEY (issuer_code),
    CONSTRAINT issuer_issuer_code_check CHECK (issuer_code ~ '^([0-9A-Z]{18}|[0-9]{12}|[0-9]{9}|[0-9]{6})$'::text),
    CONSTRAINT issuer_sort_check CHECK (sort = ANY (ARRAY['department'::text, 'association'::text, 'assessor'::text, 'school'::text]))
);
COMMENT ON TABLE wallet.issuer IS 'Who may issue, by credit code or region code (GB/T 36904). distribution: reference';

CREATE TABLE wallet.issuer_kind (
    issuer_code text NOT NULL,
    kind_code text NOT NULL,
    withdrawn_at timestamp with time zone,
    CONSTRAINT issuer_kind_pkey PRIMARY KEY (issuer_code, kind_code)
);
COMMENT ON TABLE wallet.issuer_kind IS 'Which issuer is entitled to which kind. distribution: reference';

CREATE TABLE wallet.issuer_reference (
    reference_digest bytea NOT NULL,
    body_digest bytea NOT NULL,
    person_id uuid NOT NULL,
    certificate_id uuid NOT NULL,
    CONSTRAINT issuer_reference_pkey PRIMARY KEY (reference_digest),
    CONSTRAINT issuer_reference_body_digest_check CHECK (length(body_digest) = 32),
    CONSTRAINT issuer_reference_reference_digest_check CHECK (length(reference_digest) = 32)
);
COMMENT ON TABLE wallet.issuer_reference IS 'What an issuer asked for under its own reference, so that asking again issues nothing new. distribution: reference_digest';

CREATE TABLE wallet.issuing_load (
    load_id uuid NOT NULL,
    department_id uuid NOT NULL,
    state text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    touched_at timestamp with time zone NOT NULL,
    lines_read bigint NOT NULL,
    issued bigint NOT NULL,
    known bigint NOT NULL,
    refused bigint NOT NULL,
    CONSTRAINT issuing_load_pkey PRIMARY KEY (load_id),
    CONSTRAINT every_line_is_counted CHECK (lines_read = (issued + known + refused)),
    CONSTRAINT issuing_load_issued_check CHECK (issued >= 0),
    CONSTRAINT issuing_load_known_check CHECK (known >= 0),
    CONSTRAINT issuing_load_lines_read_check CHECK (lines_read >= 0),
    CONSTRAINT issuing_load_refused_check CHECK (refused >= 0),
    CONSTRAINT issuing_load_state_check CHECK (state = ANY (ARRAY['open'::text, 'finished'::text]))
);
CREATE INDEX issuing_load_finished ON wallet.issuing_load USING btree (touched_at) WHERE state = 'finished'::text;
COMMENT ON TABLE wallet.issuing_load IS 'How far a load of certificates has come. distribution: load_id';

CREATE TABLE wallet.issuing_refusal (
    load_id uuid NOT NULL,
    line bigint NOT NULL,
    reference bytea,
    code text NOT NULL,
    detail text NOT NULL,
    field text,
    CONSTRAINT issuing_refusal_pkey PRIMARY KEY (load_id, line),
    CONSTRAINT issuing_refusal_line_check CHECK (line >= 1)
);
COMMENT ON TABLE wallet.issuing_refusal IS 'Lines of a load that were refused, and why; the issuer''s reference sealed. distribution: load_id';

CREATE TABLE wallet.kind (
    kind_code text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    fields jsonb NOT NULL,
    valid_days integer,
    face_colour text NOT NULL,
    layout text NOT NULL,
    organ_zh text DEFAULT ''::text NOT NULL,
    organ_en text DEFAULT ''::text NOT NULL,
    face text[] DEFAULT '{}'::text[] NOT NULL,
    predicates jsonb DEFAULT '[]'::jsonb NOT NULL,
    is_offline boolean DEFAULT true NOT NULL,
    is_printable boolean DEFAULT false NOT NULL,
    proves_guardianship boolean DEFAULT false NOT NULL,
    CONSTRAINT kind_pkey PRIMARY KEY (kind_code),
    CONSTRAINT kind_fields_check CHECK (jsonb_typeof(fields) = 'array'::text),
    CONSTRAINT kind_kind_code_check CHECK (kind_code ~ '^[0-9A-Z]{18}[0-9]{3}$'::text),
    CONSTRAINT kind_layout_check CHECK (layout = ANY (ARRAY['card'::text, 'booklet'::text, 'sheet'::text])),
    CONSTRAINT kind_predicates_check CHECK (jsonb_typeof(predicates) = 'array'::text),
    CONSTRAINT kind_valid_days_check CHECK (valid_days >= 1)
);
COMMENT ON TABLE wallet.kind IS 'Kinds of certificates and the attributes each carries. distribution: reference';

CREATE TABLE wallet.ledger_checkpoint (
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    signed_at timestamp with time zone NOT NULL,
    CONSTRAINT ledger_checkpoint_pkey PRIMARY KEY (size),
    CONSTRAINT ledger_checkpoint_root_check CHECK (length(root) = 32),
    CONSTRAINT ledger_checkpoint_size_check CHECK (size >= 0)
);
COMMENT ON TABLE wallet.ledger_checkpoint IS 'Signed sizes and roots of the log (C2SP tlog-checkpoint). distribution: local';

CREATE TABLE wallet.ledger_erasure (
    commitment bytea NOT NULL,
    tombstone bytea NOT NULL,
    salt bytea NOT NULL,
    reason text NOT NULL,
    erased_at timestamp with time zone NOT NULL,
    CONSTRAINT ledger_erasure_pkey PRIMARY KEY (commitment),
    CONSTRAINT ledger_erasure_commitment_check CHECK (length(commitment) = 32),
    CONSTRAINT ledger_erasure_salt_check CHECK (length(salt) = 32),
    CONSTRAINT ledger_erasure_tombstone_check CHECK (length(tombstone) = 32)
);
COMMENT ON TABLE wallet.ledger_erasure IS 'Records whose bodies were erased, and the leaf of the log that says so. distribution: commitment';

CREATE TABLE wallet.ledger_head (
    head_id smallint NOT NULL,
    size bigint NOT NULL,
    frontier bytea NOT NULL,
    CONSTRAINT ledger_head_pkey PRIMARY KEY (head_id),
    CONSTRAINT ledger_head_head_id_check CHECK (head_id = 1),
    CONSTRAINT ledger_head_size_check CHECK (size >= 0)
);
COMMENT ON TABLE wallet.ledger_head IS 'The right edge of the log; whoever appends holds its row. distribution: local';

CREATE TABLE wallet.ledger_leaf (
    log_index bigint NOT NULL,
    commitment bytea NOT NULL,
    CONSTRAINT ledger_leaf_pkey PRIMARY KEY (log_index),
    CONSTRAINT ledger_leaf_commitment_check CHECK (length(commitment) = 32),
    CONSTRAINT ledger_leaf_log_index_check CHECK (log_index >= 0)
);
COMMENT ON TABLE wallet.ledger_leaf IS 'The log: a salted commitment to each record, in order. distribution: log_index';

CREATE TABLE wallet.ledger_pending (
    bucket integer NOT NULL,
    entry_id uuid NOT NULL,
    commitment bytea NOT NULL,
    CONSTRAINT ledger_pending_pkey PRIMARY KEY (bucket, entry_id),
    CONSTRAINT ledger_pending_bucket_check CHECK (bucket >= 0 AND bucket <= 63),
    CONSTRAINT ledger_pending_commitment_check CHECK (length(commitment) = 32)
);
COMMENT ON TABLE wallet.ledger_pending IS 'Records that the log does not hold yet. distribution: bucket';

CREATE TABLE wallet.ledger_position (
    commitment bytea NOT NULL,
    log_index bigint NOT NULL,
    CONSTRAINT ledger_position_pkey PRIMARY KEY (commitment),
    CONSTRAINT ledger_position_commitment_check CHECK (length(commitment) = 32)
);
COMMENT ON TABLE wallet.ledger_position IS 'Where in the log a commitment stands. distribution: commitment';

CREATE TABLE wallet.ledger_tile (
    level smallint NOT NULL,
    tile bigint NOT NULL,
    hashes bytea NOT NULL,
    CONSTRAINT ledger_tile_pkey PRIMARY KEY (level, tile),
    CONSTRAINT ledger_tile_hashes_check CHECK (length(hashes) >= 32 AND length(hashes) <= 8192 AND (length(hashes) % 32) = 0),
    CONSTRAINT ledger_tile_level_check CHECK (level >= 0),
    CONSTRAINT ledger_tile_tile_check CHECK (tile >= 0)
);
COMMENT ON TABLE wallet.ledger_tile IS 'Hashes of whole subtrees of the log, 256 to a tile. distribution: local';

CREATE TABLE wallet.mandate (
    person_id uuid NOT NULL,
    mandate_id uuid NOT NULL,
    agent_person_id uuid NOT NULL,
    agent_name bytea NOT NULL,
    basis text NOT NULL,
    kind_codes text[],
    scenario_codes text[],
    starts_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    made_at timestamp with time zone NOT NULL,
    made_by text NOT NULL,
    revoked_at timestamp with time zone,
    revoked_by text,
    may_book boolean DEFAULT false NOT NULL,
    CONSTRAINT mandate_pkey PRIMARY KEY (person_id, mandate_id),
    CONSTRAINT a_mandate_ends CHECK (starts_at < expires_at),
    CONSTRAINT mandate_basis_check CHECK (basis = ANY (ARRAY['granted'::text, 'guardian'::text])),
    CONSTRAINT mandate_kind_codes_check CHECK (cardinality(kind_codes) >= 1),
    CONSTRAINT mandate_scenario_codes_check CHECK (cardinality(scenario_codes) >= 1),
    CONSTRAINT nobody_is_their_own_agent CHECK (person_id <> agent_person_id),
    CONSTRAINT revoked_by_somebody CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
COMMENT ON TABLE wallet.mandate IS 'Who may show this person''s certificates, which and until when. distribution: person';

CREATE TABLE wallet.mandate_held (
    person_id uuid NOT NULL,
    mandate_id uuid NOT NULL,
    holder_person_id uuid NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT mandate_held_pkey PRIMARY KEY (person_id, mandate_id)
);
COMMENT ON TABLE wallet.mandate_held IS 'Which mandates this person holds for others. distribution: person';

CREATE TABLE wallet.mandate_reference (
    reference_digest bytea NOT NULL,
    body_digest bytea NOT NULL,
    person_id uuid NOT NULL,
    mandate_id uuid NOT NULL,
    CONSTRAINT mandate_reference_pkey PRIMARY KEY (reference_digest),
    CONSTRAINT mandate_reference_body_digest_check CHECK (length(body_digest) = 32),
    CONSTRAINT mandate_reference_reference_digest_check CHECK (length(reference_digest) = 32)
);
COMMENT ON TABLE wallet.mandate_reference IS 'Guardianships that a department told us under its own reference. distribution: reference_digest';

CREATE TABLE wallet.proof (
    proof_hash bytea NOT NULL,
    person_id uuid NOT NULL,
    certificate_id uuid NOT NULL,
    printed_at timestamp with time zone NOT NULL,
    CONSTRAINT proof_pkey PRIMARY KEY (proof_hash),
    CONSTRAINT proof_proof_hash_check CHECK (length(proof_hash) = 32)
);
COMMENT ON TABLE wallet.proof IS 'Which certificate a printed proof stands for, by its code. distribution: proof_hash';

CREATE TABLE wallet.proof_printed (
    person_id uuid NOT NULL,
    proof_hash bytea NOT NULL,
    certificate_id uuid NOT NULL,
    printed_at timestamp with time zone NOT NULL,
    checks integer DEFAULT 0 NOT NULL,
    checked_at timestamp with time zone,
    CONSTRAINT proof_printed_pkey PRIMARY KEY (person_id, proof_hash),
    CONSTRAINT proof_printed_checks_check CHECK (checks >= 0),
    CONSTRAINT proof_printed_proof_hash_check CHECK (length(proof_hash) = 32),
    CONSTRAINT what_was_checked_was_checked_once CHECK ((checks = 0) = (checked_at IS NULL))
);
COMMENT ON TABLE wallet.proof_printed IS 'Which proofs this person has printed, and of what. distribution: person';

CREATE TABLE wallet.register_entry (
    entry_digest bytea NOT NULL,
    body_digest bytea NOT NULL,
    issuer_code text NOT NULL,
    person_id uuid,
    certificate_id uuid,
    revision bigint NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT register_entry_pkey PRIMARY KEY (entry_digest),
    CONSTRAINT a_certificate_has_a_person CHECK ((certificate_id IS NULL) = (person_id IS NULL)),
    CONSTRAINT register_entry_body_digest_check CHECK (length(body_digest) = 32),
    CONSTRAINT register_entry_entry_digest_check CHECK (length(entry_digest) = 32),
    CONSTRAINT register_entry_revision_check CHECK (revision >= 0)
);
COMMENT ON TABLE wallet.register_entry IS 'Which certificate stands for an entry of an issuer''s own register now, if any. distribution: entry_digest';

CREATE TABLE wallet.scenario (
    scenario_code text NOT NULL,
    edition smallint NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    CONSTRAINT scenario_pkey PRIMARY KEY (scenario_code),
    CONSTRAINT scenario_scenario_code_check CHECK (scenario_code ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$'::text)
);
COMMENT ON TABLE wallet.scenario IS 'For what a venue may look at certificates. distribution: reference';

CREATE TABLE wallet.scenario_edition (
    scenario_code text NOT NULL,
    edition smallint NOT NULL,
    purpose_zh text NOT NULL,
    purpose_en text NOT NULL,
    CONSTRAINT scenario_edition_pkey PRIMARY KEY (scenario_code, edition),
    CONSTRAINT scenario_edition_edition_check CHECK (edition >= 1)
);
COMMENT ON TABLE wallet.scenario_edition IS 'What people were told a scenario is for; never rewritten, so that the ledger says what was said. distribution: reference';

CREATE TABLE wallet.scenario_field (
    scenario_code text NOT NULL,
    kind_code text NOT NULL,
    fields text[] NOT NULL,
    CONSTRAINT scenario_field_pkey PRIMARY KEY (scenario_code, kind_code)
);
COMMENT ON TABLE wallet.scenario_field IS 'Which fields of which kind a scenario may see. distribution: reference';

CREATE TABLE wallet.shown_round (
    round smallint NOT NULL,
    window_start timestamp with time zone NOT NULL,
    person_id uuid NOT NULL,
    venue_id uuid NOT NULL,
    CONSTRAINT shown_round_pkey PRIMARY KEY (round),
    CONSTRAINT shown_round_round_check CHECK (round = 1)
);
COMMENT ON TABLE wallet.shown_round IS 'Up to which minute, and within it up to which person and venue, people have been told of what was shown. distribution: local';

CREATE TABLE wallet.status_change (
    list_id integer NOT NULL,
    change_id uuid NOT NULL,
    CONSTRAINT status_change_pkey PRIMARY KEY (list_id, change_id)
);
COMMENT ON TABLE wallet.status_change IS 'Changes that no published list shows yet. distribution: list_id';

CREATE TABLE wallet.status_entry (
    list_id integer NOT NULL,
    idx integer NOT NULL,
    certificate_id uuid NOT NULL,
    value smallint NOT NULL,
    CONSTRAINT status_entry_pkey PRIMARY KEY (list_id, idx),
    CONSTRAINT status_entry_idx_check CHECK (idx >= 0 AND idx <= 1048575),
    CONSTRAINT status_entry_value_check CHECK (value >= 0 AND value <= 2)
);
CREATE INDEX status_entry_not_valid ON wallet.status_entry USING btree (list_id, idx) WHERE value <> 0;
COMMENT ON TABLE wallet.status_entry IS 'Whose index it is and what stands there: 0 valid, 1 invalid, 2 suspended. distribution: list_id';

CREATE TABLE wallet.status_list (
    list_id integer NOT NULL,
    taken integer NOT NULL,
    seed bytea NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    CONSTRAINT status_list_pkey PRIMARY KEY (list_id),
    CONSTRAINT status_list_list_id_check CHECK (list_id >= 0),
    CONSTRAINT status_list_taken_check CHECK (taken >= 0 AND taken <= 1048576)
);
COMMENT ON TABLE wallet.status_list IS 'How many indexes of a status list are taken, and the sealed seed of their order. distribution: list_id';

CREATE TABLE wallet.status_publication (
    list_id integer NOT NULL,
    edition bigint NOT NULL,
    built_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    key_id text NOT NULL,
    jwt text NOT NULL,
    cwt bytea NOT NULL,
    CONSTRAINT status_publication_pkey PRIMARY KEY (list_id),
    CONSTRAINT status_publication_edition_check CHECK (edition >= 1)
);
COMMENT ON TABLE wallet.status_publication IS 'The status list as it is published, in both forms. distribution: list_id';

CREATE TABLE wallet.trust_publication (
    publication_id smallint NOT NULL,
    seq bigint NOT NULL,
    content bytea NOT NULL,
    key_id text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    token text NOT NULL,
    CONSTRAINT trust_publication_pkey PRIMARY KEY (publication_id),
    CONSTRAINT trust_publication_content_check CHECK (length(content) = 32),
    CONSTRAINT trust_publication_publication_id_check CHECK (publication_id = 1),
    CONSTRAINT trust_publication_seq_check CHECK (seq >= 1)
);
COMMENT ON TABLE wallet.trust_publication IS 'The trust list as it is published, and the digest of what it says. distribution: local';

CREATE TABLE wallet.trusted_city (
    region_code text NOT NULL,
    issuer text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    roots jsonb NOT NULL,
    learned_roots jsonb,
    kinds jsonb NOT NULL,
    list_url text,
    trust_list text,
    seq bigint,
    read_at timestamp with time zone,
    pulled_at timestamp with time zone,
    withdrawn_at timestamp with time zone,
    failure text,
    failing_since timestamp with time zone,
    CONSTRAINT trusted_city_pkey PRIMARY KEY (region_code),
    CONSTRAINT trusted_city_issuer_key UNIQUE (issuer),
    CONSTRAINT a_list_has_a_number CHECK ((trust_list IS NULL) = (seq IS NULL) AND (trust_list IS NULL) = (learned_roots IS NULL) AND (trust_list IS NULL) = (read_at IS NULL)),
    CONSTRAINT trusted_city_issuer_check CHECK (length(issuer) >= 1 AND length(issuer) <= 200),
    CONSTRAINT trusted_city_kinds_check CHECK (jsonb_typeof(kinds) = 'object'::text),
    CONSTRAINT trusted_city_learned_roots_check CHECK (jsonb_typeof(learned_roots) = 'array'::text),
    CONSTRAINT trusted_city_region_code_check CHECK (region_code ~ '^[0-9]{6}$'::text),
    CONSTRAINT trusted_city_roots_check CHECK (jsonb_typeof(roots) = 'array'::text),
    CONSTRAINT trusted_city_seq_check CHECK (seq >= 0),
    CONSTRAINT what_fails_has_begun CHECK ((failure IS NULL) = (failing_since IS NULL))
);
COMMENT ON TABLE wallet.trusted_city IS 'Cities whose certificates are recognised here (互认), and their trust lists as they were signed. distribution: reference';

CREATE TABLE wallet.trusted_status (
    region_code text NOT NULL,
    uri text NOT NULL,
    token text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT trusted_status_pkey PRIMARY KEY (region_code, uri),
    CONSTRAINT trusted_status_uri_check CHECK (length(uri) >= 1 AND length(uri) <= 400)
);
COMMENT ON TABLE wallet.trusted_status IS 'Status lists of trusted cities, as they were signed. distribution: reference';

CREATE TABLE wallet.use (
    person_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    used_at timestamp with time zone NOT NULL,
    use_id uuid NOT NULL,
    device_id uuid NOT NULL,
    venue_id uuid NOT NULL,
    scenario_code text NOT NULL,
    scenario_edition smallint NOT NULL,
    certificate_id uuid NOT NULL,
    kind_code text NOT NULL,
    route text NOT NULL,
    outcome text NOT NULL,
    fields text[] NOT NULL,
    mandate_id uuid,
    agent_person_id uuid,
    flags text[] DEFAULT '{}'::text[] NOT NULL,
    recorded_at timestamp with time zone,
    salt bytea,
    CONSTRAINT use_pkey PRIMARY KEY (person_id, code_hash),
    CONSTRAINT an_agent_has_a_mandate CHECK ((mandate_id IS NULL) = (agent_person_id IS NULL)),
    CONSTRAINT only_a_yes_gives_fields CHECK (outcome = 'valid'::text OR cardinality(fields) = 0),
    CONSTRAINT use_code_hash_check CHECK (length(code_hash) = 32),
    CONSTRAINT use_outcome_known CHECK (outcome = ANY (ARRAY['valid'::text, 'revoked'::text, 'suspended'::text, 'superseded'::text, 'not_yet_valid'::text, 'certificate_expired'::text, 'mandate_ended'::text])),
    CONSTRAINT use_route_known CHECK (route = ANY (ARRAY['code'::text, 'ask'::text, 'offline'::text, 'paper'::text])),
    CONSTRAINT use_salt_check CHECK (length(salt) = 32)
);
CREATE INDEX use_before_the_log ON wallet.use USING btree (person_id, code_hash) WHERE salt IS NULL;
CREATE INDEX use_by_agent ON wallet.use USING btree (person_id, agent_person_id, used_at DESC, code_hash DESC) WHERE agent_person_id IS NOT NULL;
CREATE INDEX use_by_recording ON wallet.use USING brin (recorded_at) WITH (autosummarize='on');
CREATE INDEX use_by_time ON wallet.use USING btree (person_id, used_at DESC, code_hash DESC);
CREATE INDEX use_by_venue ON wallet.use USING btree (venue_id, used_at);
COMMENT ON TABLE wallet.use IS 'Who saw which fields of whom, when and for what. distribution: person';

CREATE TABLE wallet.venue (
    venue_id uuid NOT NULL,
    sort text NOT NULL,
    credit_code text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    district text NOT NULL,
    address text NOT NULL,
    CONSTRAINT venue_pkey PRIMARY KEY (venue_id),
    CONSTRAINT venue_sort_check CHECK (sort = ANY (ARRAY['hospital'::text, 'school'::text, 'station'::text, 'museum'::text, 'scenic_spot'::text, 'amusement_park'::text, 'office'::text]))
);
COMMENT ON TABLE wallet.venue IS 'Organisations that verify certificates. distribution: reference';

CREATE TABLE wallet.venue_application (
    application_id uuid NOT NULL,
    secret_digest bytea NOT NULL,
    body_digest bytea NOT NULL,
    organisation jsonb NOT NULL,
    contact bytea NOT NULL,
    wanted jsonb NOT NULL,
    device jsonb NOT NULL,
    state text NOT NULL,
    filed_at timestamp with time zone NOT NULL,
    decided_at timestamp with time zone,
    decided_by text,
    reason text,
    venue_id uuid,
    device_id uuid,
    CONSTRAINT venue_application_pkey PRIMARY KEY (application_id),
    CONSTRAINT approved_is_a_venue CHECK ((state = 'approved'::text) = (venue_id IS NOT NULL AND device_id IS NOT NULL)),
    CONSTRAINT decided_when_not_filed CHECK ((state = 'filed'::text) = (decided_at IS NULL)),
    CONSTRAINT venue_application_body_digest_check CHECK (length(body_digest) = 32),
    CONSTRAINT venue_application_secret_digest_check CHECK (length(secret_digest) = 32),
    CONSTRAINT venue_application_state_check CHECK (state = ANY (ARRAY['filed'::text, 'approved'::text, 'rejected'::text, 'withdrawn'::text]))
);
CREATE INDEX venue_application_by_state ON wallet.venue_application USING btree (state, filed_at);
COMMENT ON TABLE wallet.venue_application IS 'Organisations that ask to verify; the contact sealed. distribution: application_id';

CREATE TABLE wallet.venue_quota (
    venue_id uuid NOT NULL,
    scenario_code text NOT NULL,
    day date NOT NULL,
    taken integer NOT NULL,
    CONSTRAINT venue_quota_pkey PRIMARY KEY (venue_id, scenario_code, day),
    CONSTRAINT venue_quota_taken_check CHECK (taken >= 0)
);
COMMENT ON TABLE wallet.venue_quota IS 'How many looks a venue with a quota has taken on a day. distribution: venue_id';

CREATE TABLE wallet.venue_scenario (
    venue_id uuid NOT NULL,
    scenario_code text NOT NULL,
    grants jsonb,
    days smallint DEFAULT 127 NOT NULL,
    opens_minute smallint,
    closes_minute smallint,
    quota_per_day integer,
    granted_until date,
    CONSTRAINT venue_scenario_pkey PRIMARY KEY (venue_id, scenario_code),
    CONSTRAINT hours_have_two_ends CHECK ((opens_minute IS NULL) = (closes_minute IS NULL)),
    CONSTRAINT venue_scenario_closes_minute_check CHECK (closes_minute >= 1 AND closes_minute <= 1440),
    CONSTRAINT venue_scenario_days_check CHECK (days >= 1 AND days <= 127),
    CONSTRAINT venue_scenario_grants_check CHECK (jsonb_typeof(grants) = 'object'::text),
    CONSTRAINT venue_scenario_opens_minute_check CHECK (opens_minute >= 0 AND opens_minute <= 1439),
    CONSTRAINT venue_scenario_quota_per_day_check CHECK (quota_per_day >= 1)
);
COMMENT ON TABLE wallet.venue_scenario IS 'Which scenarios an operator granted a venue. distribution: reference';

CREATE TABLE gateway.account (
    account_id uuid NOT NULL,
    phone bytea NOT NULL,
    phone_digest bytea NOT NULL,
    language text NOT NULL,
    person_id uuid,
    real_name_checked_at timestamp with time zone,
    real_name_serial text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT account_pkey PRIMARY KEY (account_id),
    CONSTRAINT a_person_was_checked CHECK ((person_id IS NULL) = (real_name_checked_at IS NULL)),
    CONSTRAINT account_language_check CHECK (language = ANY (ARRAY['zh'::text, 'en'::text])),
    CONSTRAINT account_phone_digest_check CHECK (length(phone_digest) = 32),
    CONSTRAINT account_real_name_serial_check CHECK (length(real_name_serial) <= 128)
);
COMMENT ON TABLE gateway.account IS 'An account, its sealed phone, and its person once the real name was checked. distribution: account_id';

CREATE TABLE gateway.account_chat (
    account_id uuid NOT NULL,
    openid_digest bytea NOT NULL,
    openid bytea NOT NULL,
    linked_at timestamp with time zone NOT NULL,
    CONSTRAINT account_chat_pkey PRIMARY KEY (account_id, openid_digest),
    CONSTRAINT account_chat_openid_digest_check CHECK (length(openid_digest) = 32)
);
COMMENT ON TABLE gateway.account_chat IS 'The chat platform''s users linked to an account, sealed. distribution: account_id';

CREATE TABLE gateway.assertion (
    client_id text NOT NULL,
    jti_digest bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT assertion_pkey PRIMARY KEY (client_id, jti_digest),
    CONSTRAINT assertion_jti_digest_check CHECK (length(jti_digest) = 32)
);
CREATE INDEX assertion_expiry ON gateway.assertion USING btree (expires_at);
COMMENT ON TABLE gateway.assertion IS 'Assertions that machines have used, so that none is used twice. distribution: client_id';

CREATE TABLE gateway.challenge (
    challenge_id uuid NOT NULL,
    audience text NOT NULL,
    phone_digest bytea NOT NULL,
    code_digest bytea NOT NULL,
    language text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT challenge_pkey PRIMARY KEY (challenge_id),
    CONSTRAINT challenge_audience_check CHECK (audience = ANY (ARRAY['resident'::text, 'department'::text, 'operator'::text])),
    CONSTRAINT challenge_code_digest_check CHECK (length(code_digest) = 32),
    CONSTRAINT challenge_language_check CHECK (language = ANY (ARRAY['zh'::text, 'en'::text])),
    CONSTRAINT challenge_phone_digest_check CHECK (length(phone_digest) = 32),
    CONSTRAINT five_attempts CHECK (attempts >= 0 AND attempts <= 5)
);
CREATE INDEX challenge_expiry ON gateway.challenge USING btree (expires_at);
COMMENT ON TABLE gateway.challenge IS 'A one-time code that was sent to a phone, as keyed digests. distribution: challenge_id';

CREATE TABLE gateway.chat_account (
    openid_digest bytea NOT NULL,
    account_id uuid NOT NULL,
    CONSTRAINT chat_account_pkey PRIMARY KEY (openid_digest),
    CONSTRAINT chat_account_openid_digest_check CHECK (length(openid_digest) = 32)
);
COMMENT ON TABLE gateway.chat_account IS 'Which account the chat platform''s user of this keyed digest is linked to. distribution: openid_digest';

CREATE TABLE gateway.client (
    client_id text NOT NULL,
    audience text NOT NULL,
    subject_id uuid NOT NULL,
    venue_id uuid,
    public_keys text NOT NULL,
    grant_id uuid NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT client_pkey PRIMARY KEY (client_id),
    CONSTRAINT a_device_is_of_a_venue CHECK ((audience = 'venue'::text) = (venue_id IS NOT NULL)),
    CONSTRAINT client_audience_check CHECK (audience = ANY (ARRAY['venue'::text, 'department'::text])),
    CONSTRAINT client_client_id_check CHECK (length(client_id) >= 1 AND length(client_id) <= 64)
);
COMMENT ON TABLE gateway.client IS 'A machine that proves itself by its own key: a venue''s device or a department''s system. distribution: reference';

CREATE TABLE gateway.department (
    department_id uuid NOT NULL,
    slug text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    CONSTRAINT department_pkey PRIMARY KEY (department_id),
    CONSTRAINT department_slug_key UNIQUE (slug),
    CONSTRAINT department_name_zh_check CHECK (name_zh ~ '^[^[:cntrl:]]{1,80}$'::text),
    CONSTRAINT department_slug_check CHECK (slug ~ '^[a-z][a-z0-9_]{1,39}$'::text)
);
COMMENT ON TABLE gateway.department IS 'A department of the city. distribution: reference';

CREATE TABLE gateway.department_app (
    slug text NOT NULL,
    department_id uuid NOT NULL,
    manifest jsonb NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    registered_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT department_app_pkey PRIMARY KEY (slug),
    CONSTRAINT department_app_slug_check CHECK (slug ~ '^[a-z][a-z0-9-]{1,39}$'::text),
    CONSTRAINT department_app_state_check CHECK (state = ANY (ARRAY['registered'::text, 'live'::text, 'suspended'::text])),
    CONSTRAINT department_app_version_check CHECK (version >= 1)
);
COMMENT ON TABLE gateway.department_app IS 'A department''s own app behind the entrance, as its manifest told. distribution: reference';

CREATE TABLE gateway.ended_session (
    session_id uuid NOT NULL,
    until timestamp with time zone NOT NULL,
    CONSTRAINT ended_session_pkey PRIMARY KEY (session_id)
);
CREATE INDEX ended_session_until ON gateway.ended_session USING btree (until);
COMMENT ON TABLE gateway.ended_session IS 'Sessions and machine grants that ended before their last token did. distribution: session_id';

CREATE TABLE gateway.person_account (
    person_id uuid NOT NULL,
    account_id uuid NOT NULL,
    CONSTRAINT person_account_pkey PRIMARY KEY (person_id)
);
COMMENT ON TABLE gateway.person_account IS 'Which account is this person''s. distribution: person';

CREATE TABLE gateway.phone_account (
    phone_digest bytea NOT NULL,
    account_id uuid NOT NULL,
    CONSTRAINT phone_account_pkey PRIMARY KEY (phone_digest),
    CONSTRAINT phone_account_phone_digest_check CHECK (length(phone_digest) = 32)
);
COMMENT ON TABLE gateway.phone_account IS 'Which account signs in with the phone of this keyed digest. distribution: phone_digest';

CREATE TABLE gateway.session (
    subject_id uuid NOT NULL,
    session_id uuid NOT NULL,
    audience text NOT NULL,
    device bytea NOT NULL,
    family_digest bytea NOT NULL,
    refresh_digest bytea NOT NULL,
    previous_digest bytea,
    refreshed_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT session_pkey PRIMARY KEY (subject_id, session_id),
    CONSTRAINT session_audience_check CHECK (audience = ANY (ARRAY['resident'::text, 'mini'::text, 'department'::text, 'operator'::text])),
    CONSTRAINT session_family_digest_check CHECK (length(family_digest) = 32),
    CONSTRAINT session_previous_digest_check CHECK (length(previous_digest) = 32),
    CONSTRAINT session_refresh_digest_check CHECK (length(refresh_digest) = 32)
);
CREATE INDEX session_expiry ON gateway.session USING btree (expires_at);
COMMENT ON TABLE gateway.session IS 'A signed-in device of an account or of a member of staff. distribution: subject_id';

CREATE TABLE gateway.staff (
    staff_id uuid NOT NULL,
    phone_digest bytea NOT NULL,
    identity bytea NOT NULL,
    role text NOT NULL,
    department_id uuid,
    office_id uuid,
    disabled_at timestamp with time zone,
    CONSTRAINT staff_pkey PRIMARY KEY (staff_id),
    CONSTRAINT staff_phone_digest_key UNIQUE (phone_digest),
    CONSTRAINT a_desk_is_in_an_office CHECK ((role = ANY (ARRAY['desk'::text, 'supervisor'::text])) = (office_id IS NOT NULL)),
    CONSTRAINT operators_stand_above_departments CHECK ((role = 'operator'::text) = (department_id IS NULL)),
    CONSTRAINT staff_phone_digest_check CHECK (length(phone_digest) = 32),
    CONSTRAINT staff_role_check CHECK (role = ANY (ARRAY['desk'::text, 'supervisor'::text, 'issuer'::text, 'operator'::text]))
);
COMMENT ON TABLE gateway.staff IS 'Who works at a desk, issues for a department or operates the city; name and phone sealed. distribution: reference';

ALTER TABLE notifications.api_key ADD CONSTRAINT api_key_service_id_fkey FOREIGN KEY (service_id) REFERENCES notifications.service(service_id);
ALTER TABLE notifications.attempt ADD CONSTRAINT attempt_bucket_message_id_channel_fkey FOREIGN KEY (bucket, message_id, channel) REFERENCES notifications.delivery(bucket, message_id, channel);
ALTER TABLE notifications.case_notice ADD CONSTRAINT case_notice_case_digest_fkey FOREIGN KEY (case_digest) REFERENCES notifications.told_case(case_digest);
ALTER TABLE notifications.delivery ADD CONSTRAINT delivery_bucket_message_id_fkey FOREIGN KEY (bucket, message_id) REFERENCES notifications.message(bucket, message_id);
ALTER TABLE notifications.department_text_version ADD CONSTRAINT department_text_version_text_id_fkey FOREIGN KEY (text_id) REFERENCES notifications.department_text(text_id);
ALTER TABLE notifications.rehearsal ADD CONSTRAINT rehearsal_bucket_message_id_fkey FOREIGN KEY (bucket, message_id) REFERENCES notifications.message(bucket, message_id);
ALTER TABLE appointments.counter ADD CONSTRAINT counter_office_id_fkey FOREIGN KEY (office_id) REFERENCES appointments.office(office_id);
ALTER TABLE appointments.office_service ADD CONSTRAINT office_service_office_id_fkey FOREIGN KEY (office_id) REFERENCES appointments.office(office_id);
ALTER TABLE appointments.office_service ADD CONSTRAINT office_service_service_id_fkey FOREIGN KEY (service_id) REFERENCES appointments.service(service_id);
ALTER TABLE appointments.place ADD CONSTRAINT place_slot_id_fkey FOREIGN KEY (slot_id) REFERENCES appointments.slot(slot_id);
ALTER TABLE appointments.rule ADD CONSTRAINT rule_office_id_fkey FOREIGN KEY (office_id) REFERENCES appointments.office(office_id);
ALTER TABLE appointments.rule ADD CONSTRAINT rule_service_id_fkey FOREIGN KEY (service_id) REFERENCES appointments.service(service_id);
ALTER TABLE appointments.slot ADD CONSTRAINT slot_office_id_fkey FOREIGN KEY (office_id) REFERENCES appointments.office(office_id);
ALTER TABLE appointments.slot ADD CONSTRAINT slot_service_id_fkey FOREIGN KEY (service_id) REFERENCES appointments.service(service_id);
ALTER TABLE wallet.certificate ADD CONSTRAINT certificate_issuer_code_kind_code_fkey FOREIGN KEY (issuer_code, kind_code) REFERENCES wallet.issuer_kind(issuer_code, kind_code);
ALTER TABLE wallet.certificate ADD CONSTRAINT state_is_of_last_change FOREIGN KEY (person_id, certificate_id, last_change, state, is_of_last) REFERENCES wallet.certificate_change(person_id, certificate_id, seq, to_state, is_last);
ALTER TABLE wallet.certificate_change ADD CONSTRAINT change_continues FOREIGN KEY (person_id, certificate_id, from_seq, from_state, had_successor) REFERENCES wallet.certificate_change(person_id, certificate_id, seq, to_state, is_last);
ALTER TABLE wallet.device ADD CONSTRAINT device_venue_id_fkey FOREIGN KEY (venue_id) REFERENCES wallet.venue(venue_id);
ALTER TABLE wallet.issuer_kind ADD CONSTRAINT issuer_kind_issuer_code_fkey FOREIGN KEY (issuer_code) REFERENCES wallet.issuer(issuer_code);
ALTER TABLE wallet.issuer_kind ADD CONSTRAINT issuer_kind_kind_code_fkey FOREIGN KEY (kind_code) REFERENCES wallet.kind(kind_code);
ALTER TABLE wallet.scenario ADD CONSTRAINT scenario_scenario_code_edition_fkey FOREIGN KEY (scenario_code, edition) REFERENCES wallet.scenario_edition(scenario_code, edition);
ALTER TABLE wallet.scenario_field ADD CONSTRAINT scenario_field_kind_code_fkey FOREIGN KEY (kind_code) REFERENCES wallet.kind(kind_code);
ALTER TABLE wallet.scenario_field ADD CONSTRAINT scenario_field_scenario_code_fkey FOREIGN KEY (scenario_code) REFERENCES wallet.scenario(scenario_code);
ALTER TABLE wallet.trusted_status ADD CONSTRAINT trusted_status_region_code_fkey FOREIGN KEY (region_code) REFERENCES wallet.trusted_city(region_code);
ALTER TABLE wallet.venue_scenario ADD CONSTRAINT venue_scenario_scenario_code_fkey FOREIGN KEY (scenario_code) REFERENCES wallet.scenario(scenario_code);
ALTER TABLE wallet.venue_scenario ADD CONSTRAINT venue_scenario_venue_id_fkey FOREIGN KEY (venue_id) REFERENCES wallet.venue(venue_id);
ALTER TABLE gateway.account_chat ADD CONSTRAINT account_chat_account_id_fkey FOREIGN KEY (account_id) REFERENCES gateway.account(account_id);
ALTER TABLE gateway.department_app ADD CONSTRAINT department_app_department_id_fkey FOREIGN KEY (department_id) REFERENCES gateway.department(department_id);
ALTER TABLE gateway.staff ADD CONSTRAINT staff_department_id_fkey FOREIGN KEY (department_id) REFERENCES gateway.department(department_id);
