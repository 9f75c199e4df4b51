-- One database and one role per service; no service may connect to another's database. The auditor
-- may read all three; migrations let it write its heartbeat, and nothing else.
-- Run once by psql, as the superuser; the passwords come from the environment.
\set ON_ERROR_STOP on
\getenv registration_password REGISTRATION_PASSWORD
\getenv coverage_password COVERAGE_PASSWORD
\getenv notifier_password NOTIFIER_PASSWORD
\getenv auditor_password AUDITOR_PASSWORD

CREATE ROLE dealreg_registration LOGIN PASSWORD :'registration_password';
CREATE DATABASE dealreg_registration OWNER dealreg_registration;
REVOKE ALL ON DATABASE dealreg_registration FROM PUBLIC;

CREATE ROLE dealreg_coverage LOGIN PASSWORD :'coverage_password';
CREATE DATABASE dealreg_coverage OWNER dealreg_coverage;
REVOKE ALL ON DATABASE dealreg_coverage FROM PUBLIC;

CREATE ROLE dealreg_notifier LOGIN PASSWORD :'notifier_password';
CREATE DATABASE dealreg_notifier OWNER dealreg_notifier;
REVOKE ALL ON DATABASE dealreg_notifier FROM PUBLIC;

CREATE ROLE dealreg_auditor LOGIN PASSWORD :'auditor_password';
GRANT pg_read_all_data TO dealreg_auditor;
GRANT CONNECT ON DATABASE dealreg_registration, dealreg_coverage, dealreg_notifier TO dealreg_auditor;
