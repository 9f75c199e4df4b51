-- The whole registration as one server-side function: what PostgreSQL alone can do with the product's own
-- tables, indexes and amount of text, when nothing is parsed, decided in Python or sent over HTTP.
-- Find or create the account by its keys, lock it, take or refuse the protection of the line, and write
-- account, registration, contact, claim, decision, audit, outbox and idempotency rows.
CREATE FUNCTION bench_id(prefix text) RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT prefix || '_' || replace(gen_random_uuid()::text, '-', '') $$;

CREATE FUNCTION bench_register(label text, partner text, idempotency_key text) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    domain_key text := 'domain:' || label || '.com';
    now_ timestamptz;
    account_ account%ROWTYPE;
    account_id_ text;
    registration_ text := bench_id('reg');
    claim_ text := bench_id('clm');
    held boolean;
    state_ text;
    plan_ int;
BEGIN
    PERFORM 1 FROM idempotency WHERE scope = partner AND key = idempotency_key;
    IF FOUND THEN RETURN 0; END IF;
    SELECT account_id INTO account_id_ FROM account_key WHERE key = domain_key;
    IF account_id_ IS NULL THEN
        account_id_ := bench_id('acc');
        INSERT INTO account_key (key, account_id)
        SELECT key, account_id_
        FROM unnest(ARRAY[domain_key, 'name1:customer ' || label || ' inc|US|94105',
                          'name1:customer ' || label || ' inc|US|US-CA']) AS key
        ORDER BY key ON CONFLICT DO NOTHING;
        IF FOUND THEN
            INSERT INTO account (id, name, facts, sources, last_place, event_version, version, created_at)
            VALUES (account_id_, 'Customer ' || label || ' Inc', :'facts', :'sources', 0, 0, 0, app_now())
            ON CONFLICT DO NOTHING;
        END IF;
        SELECT account_id INTO account_id_ FROM account_key WHERE key = domain_key;
    END IF;
    SELECT * INTO account_ FROM account WHERE id = account_id_ FOR UPDATE;
    now_ := app_now();
    SELECT last_plan_number INTO plan_ FROM programme_state;
    SELECT true INTO held FROM claim
    WHERE account_id = account_id_ AND product_line = 'platform' AND state IN ('protected', 'extended');
    state_ := CASE WHEN held THEN 'contested' ELSE 'protected' END;
    UPDATE account SET last_place = last_place + 1, event_version = event_version + 1,
                       version = version + 1, next_due_at = now_ + interval '60 days'
    WHERE id = account_id_;
    INSERT INTO registration (id, account_id, partner_id, filed_by, filed_at, account_name, amount,
        currency, amount_base, close_date, deal_type, place_of_use, tags, external_reference, evidence,
        matched_by, market_region, market_segment, owner, receipt_number, plan_number,
        last_activity_at, version)
    VALUES (registration_, account_id_, partner, 'partner', now_, 'Customer ' || label || ' Inc',
        '25000.00', 'USD', '25000.00', '2099-12-31', 'new', '[null,null,null,null]', '["cloud"]',
        'CRM-' || label, '[]', NULL, 'na', 'mid', '["partner","partner0",null]', bench_id('rcp'),
        plan_, now_, 1);
    INSERT INTO registration_contact (registration_id, position, name, email)
    VALUES (registration_, 0, 'Kim Doe', 'kim@example.com');
    INSERT INTO claim (id, registration_id, account_id, partner_id, product_line, place, numbered_by, outcome,
        state, decided_at, plan_number, protected_from, protected_until, territory_id, assignment_id, codes,
        reasons)
    VALUES (claim_, registration_, account_id_, partner, 'platform', account_.last_place + 1, account_id_,
        state_, state_, now_, plan_, CASE WHEN held THEN NULL ELSE now_ END,
        CASE WHEN held THEN NULL ELSE now_ + interval '90 days' END, 'us', 'a1', '[]', :'reasons');
    INSERT INTO decision (account_id, registration_id, decided_at, kind, plan_number, rule_book, inputs,
        result)
    VALUES (account_id_, registration_, now_, 'filing', plan_, '2026-11', :'inputs', :'result');
    INSERT INTO audit (at, actor, action, subject, detail)
    VALUES (now_, 'partner:' || partner, 'registration.filed', registration_, :'audit_filed'),
           (now_, 'partner:' || partner, 'claim.' || state_, registration_, :'audit_claim');
    INSERT INTO outbox (shard, topic, key, version, body, created_at)
    VALUES (0, 'dealreg.registration', account_id_, account_.event_version + 1, :'event', now_);
    INSERT INTO idempotency (scope, key, salt, request_hash, status, body, created_at)
    VALUES (partner, idempotency_key, md5(idempotency_key), md5(label) || md5(partner), 201,
        convert_to(:'answer', 'UTF8'), now_);
    RETURN account_.last_place + 1;
END $$;
